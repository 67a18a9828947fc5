// Jobs that another launcher started, where little or nothing says so any more: nothing is killed for that, and all of it ends in
// time.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;

struct Kind {
  const char* name;
  bool without_cgroups;
  const char* profile;
};

class AdoptionTest : public testing::TestWithParam<Kind> {
 protected:
  launch::LaunchRequest Request(const std::string& script) const {
    auto request = batch_.Request({"sh", "-c", script});
    request.profile = GetParam().profile;
    return request;
  }
  // Starts it, and ends the launcher when it runs.
  SlotRecord LeaveBehind(const launch::LaunchRequest& request) {
    host_->Send(launch::Launch{request});
    const SlotRecord running = batch_.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    host_->Kill();
    host_.emplace(HostOptions{.log_dir = logs_.path(), .without_cgroups = GetParam().without_cgroups});
    return running;
  }
  // As when the log folder is unmounted: what is open stays so, and nobody finds it.
  void Unmount() { std::filesystem::rename(logs_.path() + "/owner", logs_.path() + "/elsewhere"); }
  // The launcher has done all that it was asked for before.
  void Settle() {
    host_->Send(launch::Hello{});
    EXPECT_TRUE(std::holds_alternative<launch::HelloAck>(host_->Receive()));
  }
  void ExpectEnd(launch::JobKey key) { EXPECT_EQ(std::get<launch::ShimExited>(host_->Receive()).key, key); }

  // Ends when it is told to.
  static constexpr const char* kUntilUsr1 = "trap 'exit 7' USR1; while :; do sleep 0.02; done";

  TempDir logs_;
  std::optional<LauncherHost> host_{HostOptions{.log_dir = logs_.path(), .without_cgroups = GetParam().without_cgroups}};
  Batch batch_{logs_.path()};
};
INSTANTIATE_TEST_SUITE_P(Kinds, AdoptionTest,
                         testing::Values(Kind{"Cgroup", false, "open"}, Kind{"Tree", true, "open"}, Kind{"View", false, "standard"},
                                         Kind{"Strict", false, "strict"}),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(AdoptionTest, FaultD22AWatchWithoutAnExitFileFindsTheShim) {
  const auto request = Request(kUntilUsr1);
  const SlotRecord running = LeaveBehind(request);
  Unmount();
  host_->Send(batch_.WatchOf(request));
  Settle();
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_->Send(launch::SignalJob{request.key, SIGUSR1});
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().exit, base::ExitStatus::Exited(7)) << "where the shim writes it, it is recorded";
}

TEST_P(AdoptionTest, FaultD22ASweepWaitsForAShimThatLives) {
  const auto request = Request(kUntilUsr1);
  const SlotRecord running = LeaveBehind(request);
  Unmount();
  host_->Send(launch::Sweep{request.key});
  Settle();
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_->Send(launch::SignalJob{request.key, SIGUSR1});
  ExpectEnd(request.key);
  EXPECT_EQ(std::get<launch::Swept>(host_->Receive()).key, request.key) << "behind the end, which tells that it had begun";
}

TEST_P(AdoptionTest, FaultD22AnExitFileThatIsAnotherOneByNowKillsNothing) {
  const auto request = Request(kUntilUsr1);
  const SlotRecord running = LeaveBehind(request);
  Unmount();
  const Batch restored(logs_.path());  // without a record, as from a backup
  host_->Send(batch_.WatchOf(request));
  Settle();
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_->Send(launch::CancelJob{request.key, 0});
  ExpectEnd(request.key);
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(running.job_pid)));
}

TEST_P(AdoptionTest, FaultD22ReconcilingSparesWhatRunsThoughNobodyKnowsIt) {
  const auto request = Request(kUntilUsr1);
  const SlotRecord running = LeaveBehind(request);
  host_->Send(launch::Reconciled{});
  Settle();
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_->Send(batch_.WatchOf(request));
  host_->Send(launch::CancelJob{request.key, 0});
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kCancel);
}

TEST_P(AdoptionTest, FaultD22AJobThatIsOverIsToldOfAtOnce) {
  const auto request = Request("exit 0");
  host_->Send(launch::Launch{request});
  ExpectEnd(request.key);
  Unmount();
  host_->Send(batch_.WatchOf(request));
  ExpectEnd(request.key);
}

TEST_P(AdoptionTest, FaultD20AnAdoptedJobIsHeldToItsDeadlineThoughItsShimIsStopped) {
  auto request = Request("sleep 3600");
  request.timeout = base::kNanosPerSecond;
  const SlotRecord running = LeaveBehind(request);
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  host_->Send(batch_.WatchOf(request));
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kTimeout);
}

// It says nothing of its deadline.
TEST_P(AdoptionTest, FaultD20AShimOfTheVersionBeforeIsMadeToGoOn) {
  auto request = Request("sleep 3600");
  request.timeout = base::kNanosPerSecond;
  SlotRecord running = LeaveBehind(request);
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  running.deadline = running.kill_after = 0;
  ASSERT_TRUE(base::PwriteAll(batch_.exits(), launch::EncodeSlot(running), launch::SlotOffset(1)).ok());
  host_->Send(batch_.WatchOf(request));
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kTimeout);
}

TEST_P(AdoptionTest, FaultD20AnAdoptedShimThatIsStoppedHearsACancel) {
  const auto request = Request("sleep 3600");
  const SlotRecord running = LeaveBehind(request);
  host_->Send(batch_.WatchOf(request));
  Settle();
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  host_->Send(launch::CancelJob{request.key, 0});
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kCancel);
}

// Whatever it comes to be in want of: nothing is known then, so nothing is done.
TEST_P(AdoptionTest, FaultD25WithoutDescriptorsNothingIsTakenForDead) {
  for (int more = 0; more < 4; ++more) {
    for (const bool sweep : {false, true}) {
      const Batch batch(logs_.path(), 1, "starved-" + std::to_string(more) + (sweep ? "-swept" : "-watched"));
      auto request = batch.Request({"sh", "-c", kUntilUsr1});
      request.profile = GetParam().profile;
      host_->Send(launch::Launch{request});
      const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
      host_->Kill();
      host_.emplace(HostOptions{.log_dir = logs_.path(), .without_cgroups = GetParam().without_cgroups});
      Settle();
      host_->LimitDescriptors(more);
      if (sweep) {
        host_->Send(launch::Sweep{request.key});
      } else {
        host_->Send(batch.WatchOf(request));
      }
      // Which looks for all of them, now.
      host_->Send(launch::Reconciled{});
      Settle();
      EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid))) << more;
      host_->LimitDescriptors(std::nullopt);
      host_->Send(launch::SignalJob{request.key, SIGUSR1});
      ExpectEnd(request.key);
      if (sweep) {
        EXPECT_EQ(std::get<launch::Swept>(host_->Receive()).key, request.key);
      }
      EXPECT_EQ(batch.Slot().exit, base::ExitStatus::Exited(7)) << more;
    }
  }
}

TEST_P(AdoptionTest, FaultD25ALaunchOfWhatIsStillLookedForHasToWait) {
  const auto request = Request(kUntilUsr1);
  const SlotRecord running = LeaveBehind(request);
  Unmount();
  Settle();
  host_->LimitDescriptors(0);
  host_->Send(launch::Sweep{request.key});
  host_->Send(launch::Launch{request});
  const auto refused = std::get<launch::Refused>(host_->Receive());
  EXPECT_TRUE(refused.retry) << refused.text;
  // What was said meanwhile is done when it is found, and stands behind a shim that is stopped.
  host_->Send(launch::CancelJob{request.key, 0});
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  host_->LimitDescriptors(std::nullopt);
  ExpectEnd(request.key);
  EXPECT_EQ(std::get<launch::Swept>(host_->Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(running.job_pid)));
}

TEST_P(AdoptionTest, FaultD22WhatNobodyKnowsIsWatchedToItsEnd) {
  if (GetParam().without_cgroups) return;  // there is nothing to list
  const auto request = Request("id -u; while :; do sleep 0.02; done");
  const SlotRecord running = LeaveBehind(request);
  host_->Send(launch::Reconciled{});
  Settle();
  // Its uid is taken, so that another job is not the same to the kernel.
  const Batch other(logs_.path(), 1, "other");
  auto second = other.Request({"id", "-u"});
  second.profile = GetParam().profile;
  RunToEnd(*host_, other, second);
  if (::geteuid() == 0 && std::string_view(GetParam().profile) == "strict") {
    EXPECT_NE(other.File("1.out"), batch_.File("1.out"));
  }
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  host_->Send(launch::CancelJob{request.key, 0});
  ExpectEnd(request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kCancel);
}

}  // namespace
}  // namespace jobd::process_test
