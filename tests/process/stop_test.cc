// Ending jobs: whatever they do, nothing of them is left.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;
constexpr base::Nanos kMilli = base::kNanosPerMilli;

class StopTest : public testing::TestWithParam<bool> {
 protected:
  SlotRecord AwaitEnd(const launch::LaunchRequest& request) {
    EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
    return batch_.Slot();
  }
  // The pid that a payload has printed.
  pid_t PrintedPid() { return static_cast<pid_t>(std::stol(AwaitFile(batch_.path(), "1.out", EndsLine))); }
  static bool EndsLine(const std::string& text) { return text.ends_with("\n"); }
  static bool IsRunning(const SlotRecord& record) { return record.phase == Phase::kRunning; }
  // Starts a job whose grandchild, which is given, outlives everything but a sweep.
  pid_t OrphanOf(const Batch& batch, const launch::LaunchRequest& request) {
    host_.Send(launch::Launch{request});
    const pid_t grandchild = static_cast<pid_t>(std::stol(AwaitFile(batch.path(), "1.out", EndsLine)));
    shims_.push_back(static_cast<pid_t>(batch.AwaitSlot(IsRunning).shim_pid));
    return grandchild;
  }
  // As `systemctl kill -s KILL` does to jobd and its shims, while processes of the jobs live on.
  void KillLauncherAndShims() {
    host_.Kill();
    for (const pid_t pid : shims_) {
      const base::Fd shim(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
      ::kill(pid, SIGKILL);
      pollfd gone{shim.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&gone, 1, 10'000), 1);
    }
  }

  std::vector<pid_t> shims_;
  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path(), .without_cgroups = GetParam()}};
  Batch batch_{logs_.path()};
};
INSTANTIATE_TEST_SUITE_P(Drivers, StopTest, testing::Bool(), [](const auto& driver) { return driver.param ? "Tree" : "Cgroup"; });

TEST_P(StopTest, CancelEndsAJobThatListens) {
  const auto request = batch_.Request({"sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), "1.out", EndsLine);
  host_.Send(launch::CancelJob{request.key, 10 * base::kNanosPerSecond});
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.cause, EndCause::kCancel);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(7));
  EXPECT_EQ(batch_.File("1.out"), "up\nbye\n") << "the last words are kept";
}

TEST_P(StopTest, CancelLeavesNothingOfAStubbornTree) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  const pid_t grandchild = PrintedPid();
  EXPECT_TRUE(ProcessLives(grandchild));
  host_.Send(launch::CancelJob{request.key, 100 * kMilli});
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.cause, EndCause::kCancel);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGKILL));
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, ASecondCancelShortensTheGrace) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  PrintedPid();
  const auto begin = std::chrono::steady_clock::now();
  host_.Send(launch::CancelJob{request.key, 3600 * base::kNanosPerSecond});
  host_.Send(launch::CancelJob{request.key, 0});
  AwaitEnd(request);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_P(StopTest, CancelAtOnceAfterTheLaunchIsNotLost) {
  const auto request = batch_.Request({"sleep", "3600"});
  host_.Send(launch::Launch{request});
  host_.Send(launch::CancelJob{request.key, 0});
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.phase, Phase::kEnded);
  EXPECT_EQ(record.cause, EndCause::kCancel);
}

// A server that has just begun may not have seen the shim lock its slot.
TEST_P(StopTest, ASweepSparesAJobWhoseShimLives) {
  const auto request = batch_.Request({"sh", "-c", "echo up; read line; echo end"});
  host_.Send(launch::Launch{request});
  host_.Send(launch::Sweep{request.key});
  EXPECT_EQ(std::get<launch::Swept>(host_.Receive()).key, request.key) << "when it is gone, and not before";
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(0));
  EXPECT_EQ(batch_.File("1.out"), "up\nend\n");
}

TEST_P(StopTest, TimeoutTermsThenKills) {
  auto request = batch_.Request({Payload("stubborn"), "stay"});
  request.timeout = 200 * kMilli;
  request.kill_after = 100 * kMilli;
  host_.Send(launch::Launch{request});
  const pid_t grandchild = PrintedPid();
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.cause, EndCause::kTimeout);
  EXPECT_GE(record.wall, 300 * kMilli);
  EXPECT_LT(record.wall, 5 * base::kNanosPerSecond);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, WhatAJobLeavesBehindEndsWithIt) {
  const auto request = batch_.Request({Payload("stubborn")});
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_TRUE(record.exit.success());
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(std::stol(batch_.File("1.out")))))
      << "it held the pipe, and was ended, not waited for";
}

TEST_P(StopTest, ForwardsASignalToTheGroup) {
  const auto request = batch_.Request({"sh", "-c", "trap 'echo got; exit 3' USR1; echo up; while :; do sleep 0.05; done"});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), "1.out", EndsLine);
  host_.Send(launch::SignalJob{request.key, SIGUSR1});
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(3));
}

TEST_P(StopTest, AKilledShimTakesItsJobAlong) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  const pid_t grandchild = PrintedPid();
  const SlotRecord running = batch_.AwaitSlot(IsRunning);
  ::kill(static_cast<pid_t>(running.shim_pid), SIGKILL);
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.phase, Phase::kRunning) << "how it ended is not known";
  EXPECT_FALSE(ProcessLives(grandchild));
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(running.job_pid)));
}

TEST_P(StopTest, ShimsAreDeafToTheServicesSignals) {
  const auto request = batch_.Request({"sh", "-c", "echo up; read line; echo $line"});
  host_.Send(launch::Launch{request});
  const SlotRecord running = batch_.AwaitSlot([](const SlotRecord& r) { return r.phase != Phase::kNone; });
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGALRM, SIGTSTP}) {
    ::kill(static_cast<pid_t>(running.shim_pid), signal);
  }
  EXPECT_EQ(AwaitEnd(request).phase, Phase::kEnded);
  EXPECT_EQ(batch_.File("1.out"), "up\n\n");
}

TEST_P(StopTest, JobsOutliveTheLauncherAndAreAdopted) {
  const auto request = batch_.Request({"sh", "-c", "echo up; sleep 0.5; echo down; exit 5"});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), "1.out", EndsLine);
  host_.Kill();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(batch_.WatchOf(request));
  next.Send(launch::Reconciled{});
  EXPECT_EQ(std::get<launch::ShimExited>(next.Receive()).key, request.key);
  const SlotRecord record = batch_.Slot();
  EXPECT_EQ(record.phase, Phase::kEnded);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(5));
  EXPECT_EQ(batch_.File("1.out"), "up\ndown\n");
}

TEST_P(StopTest, AnAdoptedJobCanBeCancelled) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  const pid_t grandchild = PrintedPid();
  host_.Kill();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(batch_.WatchOf(request));
  next.Send(launch::CancelJob{request.key, 0});
  EXPECT_EQ(std::get<launch::ShimExited>(next.Receive()).key, request.key);
  EXPECT_EQ(batch_.Slot().cause, EndCause::kCancel);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, ASweepKillsWhatTwoDeathsLeft) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  const pid_t grandchild = PrintedPid();
  const SlotRecord running = batch_.AwaitSlot(IsRunning);
  host_.Kill();
  const base::Fd shim(static_cast<int>(::syscall(SYS_pidfd_open, running.shim_pid, 0)));
  ::kill(static_cast<pid_t>(running.shim_pid), SIGKILL);
  pollfd gone{shim.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&gone, 1, 10'000), 1);
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(launch::Sweep{request.key});
  EXPECT_EQ(std::get<launch::Swept>(next.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(grandchild));
  next.Send(batch_.WatchOf(request));
  EXPECT_EQ(std::get<launch::ShimExited>(next.Receive()).key, request.key) << "nobody is there to be watched";
}

// Two sweeps of one group waited for each other: the one that the server asked for, and the launcher's own of groups that nobody
// named.
TEST_P(StopTest, FaultA15ASweepIsAnsweredThoughUnknownGroupsAreRemovedMeanwhile) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  const pid_t grandchild = OrphanOf(batch_, request);
  KillLauncherAndShims();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(launch::Sweep{request.key});
  next.Send(launch::Reconciled{});
  EXPECT_EQ(std::get<launch::Swept>(next.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, FaultA15AWatchIsAnsweredThoughUnknownGroupsAreRemovedMeanwhile) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  const pid_t grandchild = OrphanOf(batch_, request);
  KillLauncherAndShims();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(launch::Reconciled{});
  next.Send(batch_.WatchOf(request));
  EXPECT_EQ(std::get<launch::ShimExited>(next.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, FaultA15EverySweepOfOneGroupIsAnswered) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  const pid_t grandchild = OrphanOf(batch_, request);
  KillLauncherAndShims();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  constexpr int kSweeps = 4;
  for (int i = 0; i < kSweeps; ++i) next.Send(launch::Sweep{request.key});
  next.Send(launch::Launch{request});  // while it is being swept: not begun, or begun when that is over
  int swept = 0;
  while (swept < kSweeps) {
    const launch::LauncherFrame frame = next.Receive();
    if (std::holds_alternative<launch::Swept>(frame)) ++swept;
    EXPECT_TRUE(std::holds_alternative<launch::Swept>(frame) || std::holds_alternative<launch::Refused>(frame)) << frame.index();
  }
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, FaultOrphansOfAnotherBatchAreSparedByASweep) {
  const Batch other(logs_.path(), 1, "other");
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  const auto spared = other.Request({Payload("stubborn"), "stay"});
  const pid_t grandchild = OrphanOf(batch_, request);
  const pid_t spared_grandchild = OrphanOf(other, spared);
  KillLauncherAndShims();
  LauncherHost next({.log_dir = logs_.path(), .without_cgroups = GetParam()});
  next.Send(launch::Sweep{request.key});
  EXPECT_EQ(std::get<launch::Swept>(next.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(grandchild));
  EXPECT_TRUE(ProcessLives(spared_grandchild)) << "the same index and attempt, but not the batch";
  next.Send(launch::Sweep{spared.key});
  EXPECT_EQ(std::get<launch::Swept>(next.Receive()).key, spared.key);
  EXPECT_FALSE(ProcessLives(spared_grandchild));
}

// Each daemon counts its batches from one, so that the keys of two are the same.
TEST_P(StopTest, ASweepSparesAnotherDaemonsJobOfTheSameKey) {
  for (const bool without_cgroups : {true, false}) {
    const TempDir logs;
    LauncherHost other({.log_dir = logs.path(), .without_cgroups = without_cgroups});
    const Batch batch(logs.path());
    const auto request = batch.Request({"sleep", "3600"});
    other.Send(launch::Launch{request});
    const auto pid = static_cast<pid_t>(batch.AwaitSlot(IsRunning).job_pid);
    host_.Send(launch::Sweep{request.key});
    const launch::LauncherFrame frame = host_.Receive();
    ASSERT_TRUE(std::holds_alternative<launch::Swept>(frame)) << frame.index();
    EXPECT_EQ(std::get<launch::Swept>(frame).key, request.key);
    EXPECT_TRUE(ProcessLives(pid));
    other.Send(launch::CancelJob{request.key, 0});
    EXPECT_EQ(std::get<launch::ShimExited>(other.Receive()).key, request.key);
  }
}

TEST_P(StopTest, ASweepSparesWhatAnotherDaemonsDeadShimLeft) {
  const TempDir logs;
  LauncherHost other({.log_dir = logs.path(), .without_cgroups = true});
  const Batch batch(logs.path());
  const auto request = batch.Request({Payload("stubborn"), "stay"});
  other.Send(launch::Launch{request});
  const auto grandchild = static_cast<pid_t>(std::stol(AwaitFile(batch.path(), "1.out", EndsLine)));
  const base::Fd shim(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(batch.AwaitSlot(IsRunning).shim_pid), 0)));
  other.Kill();
  ASSERT_EQ(::syscall(SYS_pidfd_send_signal, shim.get(), SIGKILL, nullptr, 0), 0);
  pollfd gone{shim.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&gone, 1, 10'000), 1);
  host_.Send(launch::Sweep{request.key});
  EXPECT_EQ(std::get<launch::Swept>(host_.Receive()).key, request.key);
  EXPECT_TRUE(ProcessLives(grandchild));
  LauncherHost next({.log_dir = logs.path(), .without_cgroups = true});
  next.Send(launch::Sweep{request.key});
  EXPECT_EQ(std::get<launch::Swept>(next.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(StopTest, SweepingNothingIsAnsweredToo) {
  host_.Send(launch::Sweep{{999'999'999, 1, 1}});
  EXPECT_EQ(std::get<launch::Swept>(host_.Receive()).key.batch, 999'999'999u);
}

constexpr const char* kListens = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done";

TEST_P(StopTest, FaultA8AStoppedJobHearsThatItIsToEnd) {
  const auto request = batch_.Request({"sh", "-c", kListens});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), "1.out", EndsLine);
  ASSERT_EQ(::kill(static_cast<pid_t>(batch_.AwaitSlot(IsRunning).job_pid), SIGSTOP), 0);
  host_.Send(launch::CancelJob{request.key, 60'000 * kMilli});
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(7));
  EXPECT_EQ(record.cause, EndCause::kCancel);
}

TEST_P(StopTest, FaultA8AStoppedJobHearsOfItsTimeout) {
  auto request = batch_.Request({"sh", "-c", kListens});
  request.timeout = 300 * kMilli;
  request.kill_after = 60'000 * kMilli;
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), "1.out", EndsLine);
  ::kill(static_cast<pid_t>(batch_.AwaitSlot(IsRunning).job_pid), SIGSTOP);
  const SlotRecord record = AwaitEnd(request);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(7));
  EXPECT_EQ(record.cause, EndCause::kTimeout);
}

TEST_P(StopTest, FaultD20ACancelReachesAJobWhoseShimIsStopped) {
  const auto request = batch_.Request({"sleep", "3600"});
  host_.Send(launch::Launch{request});
  ASSERT_EQ(::kill(static_cast<pid_t>(batch_.AwaitSlot(IsRunning).shim_pid), SIGSTOP), 0);
  host_.Send(launch::CancelJob{request.key, 0});
  EXPECT_EQ(AwaitEnd(request).cause, EndCause::kCancel);
}

TEST_P(StopTest, FaultD20ADeadlineHoldsWhenTheShimIsStopped) {
  auto request = batch_.Request({"sleep", "3600"});
  request.timeout = 500 * kMilli;
  host_.Send(launch::Launch{request});
  ASSERT_EQ(::kill(static_cast<pid_t>(batch_.AwaitSlot(IsRunning).shim_pid), SIGSTOP), 0);
  EXPECT_EQ(AwaitEnd(request).cause, EndCause::kTimeout);
}

// Where SIGCHLD is ignored, the kernel tells nobody how a child ended.
TEST(FaultA1, ALauncherThatIgnoresItsChildrenStillKnowsHowJobsEnd) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  TempDir logs;
  LauncherHost host({.log_dir = logs.path()});
  std::signal(SIGCHLD, before);
  const Batch batch(logs.path());
  EXPECT_EQ(RunToEnd(host, batch, batch.Request({"sh", "-c", "exit 3"})).exit, base::ExitStatus::Exited(3));
}

}  // namespace
}  // namespace jobd::process_test
