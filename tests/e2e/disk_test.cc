// Disks that are full, out of inodes, read-only or failing, those of the state and of the logs apart: what is new is refused and
// told which disk it is, what runs goes on, what is lost is counted, and service returns with the disk.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <tuple>

#include "tests/e2e/harness/daemon.h"
#include "tests/e2e/harness/small_disk.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

enum class Disk { kState, kLog };

class DiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    JOBD_REQUIRE(SmallDisk::Possible(why), why);
    state_.emplace(daemon_.folder() + "/state", "size=16m,nr_inodes=200");
    logs_.emplace(daemon_.LogDir(), "size=16m,nr_inodes=200");
    ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  }
  SmallDisk& disk(Disk which) { return which == Disk::kState ? *state_ : *logs_; }
  static const char* Name(Disk which) { return which == Disk::kState ? "state" : "log"; }

  nlohmann::json Status(const std::string& id) { return nlohmann::json::parse(daemon_.Ok({"status", "--json", id})); }
  nlohmann::json Job(const std::string& id, size_t index = 1) { return Status(id).at("jobs").at(index - 1); }
  std::string ProblemOf(Disk which) {
    const auto status = nlohmann::json::parse(daemon_.Do({"admin", "status", "--json"}, "admin").out);
    for (const auto& one : status.at("disks")) {
      if (one.at("name") == Name(which)) return one.at("problem");
    }
    return "no such disk";
  }
  // A job that runs until Open() and then says so.
  std::string Gated(const std::string& then = "echo after; exit 5") {
    std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", "echo before; while ! test -e gate; do sleep 0.01; done; " + then});
    EXPECT_TRUE(WaitUntil([&] { return daemon_.Do({"logs", id}).out == "before\n"; }));
    return id;
  }
  void Open() { WriteFile(daemon_.ShareDir() + "/gate", ""); }

  // What a follower was told, gap by gap.
  static uint64_t ToldDropped(const std::string& talk) {
    uint64_t sum = 0;
    const std::regex gap("the job: ([0-9]+) bytes of output were dropped here");
    for (std::sregex_iterator at(talk.begin(), talk.end(), gap), end; at != end; ++at) sum += std::stoull((*at)[1]);
    return sum;
  }

  void ExpectRefused(Disk which, const std::string& problem) {
    const Output refused = daemon_.Do({"run", "--connect-timeout", "2s", "-d", "--id", "refused", "--", "true"});
    EXPECT_EQ(refused.code(), 125);
    EXPECT_NE(refused.err.find(std::string("the ") + Name(which) + " disk"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find(problem), std::string::npos) << refused.err;
    EXPECT_EQ(daemon_.Do({"status", "refused"}).code(), 3) << "what was refused does not exist";
  }
  void ExpectService() {
    EXPECT_EQ(daemon_.Do({"run", "--", "echo", "again"}).out, "again\n");
    EXPECT_EQ(ProblemOf(Disk::kState), "");
    EXPECT_EQ(ProblemOf(Disk::kLog), "");
  }

  Daemon daemon_{{"[limits]\nmax_running = 2\nmin_free_bytes = \"1M\"\n", {}, ""}};
  std::optional<SmallDisk> state_;
  std::optional<SmallDisk> logs_;
};

// Nothing is left but what can be read and ended.
class DiskRefusalTest : public DiskTest, public testing::WithParamInterface<std::tuple<Disk, std::string>> {
 protected:
  void Break() {
    if (std::get<1>(GetParam()) == "inodes") {
      disk(std::get<0>(GetParam())).TakeInodes();
    } else {
      disk(std::get<0>(GetParam())).TakeSpace();
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Disks, DiskRefusalTest,
                         testing::Combine(testing::Values(Disk::kState, Disk::kLog), testing::Values("full", "inodes")),
                         [](const auto& kind) {
                           return std::string(std::get<0>(kind.param) == Disk::kState ? "state_" : "log_") +
                                  std::get<1>(kind.param);
                         });

TEST_P(DiskRefusalTest, NewWorkIsRefusedTheRestGoesOnAndServiceReturns) {
  const auto& [which, what] = GetParam();
  const std::string running = Gated();
  const std::string cancelled = daemon_.Ok({"run", "-d", "--", "sleep", "1000"});
  ASSERT_TRUE(WaitUntil([&] { return Job(cancelled).at("state") == "RUNNING"; }));
  Break();
  ExpectRefused(which, what);
  EXPECT_EQ(ProblemOf(which), what == "full" ? "almost full" : "almost out of inodes");
  EXPECT_EQ(Job(running).at("state"), "RUNNING");
  EXPECT_EQ(daemon_.Do({"logs", running}).out, "before\n");
  EXPECT_EQ(daemon_.Do({"list"}).code(), 0);
  // Where nothing can be recorded a cancel is refused, as promised: no cancel is acknowledged that a crash would forget.
  const Output cancel = daemon_.Do({"cancel", "-t", "0s", cancelled});
  EXPECT_TRUE(cancel.code() == 0 || cancel.err.find("the state disk is full") != std::string::npos) << cancel.err;
  Open();
  disk(which).GiveBack();
  ExpectService();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 5);
  if (cancel.code() != 0) daemon_.Ok({"cancel", "-t", "0s", cancelled});
  EXPECT_NE(daemon_.Do({"wait", cancelled}).code(), 0);
  EXPECT_EQ(Job(cancelled).at("state"), "CANCELLED");
}

TEST_F(DiskTest, EndsAreHeldWhileTheStateDiskIsFullAndRecordedAfterwards) {
  const std::string running = Gated();
  const std::string queued =
      daemon_.Ok({"submit", "-f", "-"}, "operator", "while ! test -e gate; do sleep 0.01; done\ntrue\ntrue\n");
  state_->TakeSpace();
  Open();
  ASSERT_TRUE(WaitUntil([&] {
    return daemon_.Do({"logs", running}).out == "before\nafter\n";
  })) << "it runs on and its log with it";
  state_->GiveBack();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 5);
  EXPECT_EQ(daemon_.Do({"wait", queued}).code(), 0) << "what waited starts";
  ExpectService();
}

TEST_F(DiskTest, EndsAreKeptWhenTheServerDiesWhileTheStateDiskIsFull) {
  const std::string running = Gated();
  state_->TakeSpace();
  Open();
  ASSERT_TRUE(WaitUntil([&] { return daemon_.Do({"logs", running}).out == "before\nafter\n"; }));
  ::kill(daemon_.ServerPid(), SIGKILL);
  state_->GiveBack();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 5) << "from its exit record";
  ExpectService();
}

TEST_F(DiskTest, AFullLogDiskHoldsNoJobUpAndTheGapIsCountedWhereItWas) {
  const std::string id =
      Gated("head -c 1000000 /dev/zero; touch passed; while ! test -e gate2; do sleep 0.01; done; echo after; exit 5");
  Process follower(daemon_.Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("before\n"));
  logs_->TakeSpace();
  Open();
  ASSERT_TRUE(WaitUntil([&] { return std::filesystem::exists(daemon_.ShareDir() + "/passed"); })) << "what it prints has no room";
  logs_->GiveBack();
  WriteFile(daemon_.ShareDir() + "/gate2", "");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 5);
  const Output followed = follower.Finish();
  EXPECT_TRUE(followed.out.starts_with("before\n") && followed.out.ends_with("after\n")) << followed.out.size();
  const auto result = Job(id);
  const uint64_t dropped = result.at("dropped_bytes");
  EXPECT_GT(dropped, 0u) << result;
  EXPECT_EQ(followed.out.size() - std::string("before\nafter\n").size() + dropped, 1'000'000u) << "every byte is there or counted";
  EXPECT_EQ(ToldDropped(followed.err), dropped) << followed.err;
  EXPECT_EQ(daemon_.Do({"logs", id}).out, followed.out);
}

TEST_F(DiskTest, AReadOnlyLogDiskIsNamedAndWhatWaitsIsKept) {
  const std::string held = daemon_.Ok({"submit", "--hold", "-f", "-"}, "operator", "exit 3\n");
  logs_->SetReadOnly(true);
  ExpectRefused(Disk::kLog, "read-only");
  EXPECT_EQ(ProblemOf(Disk::kLog), "read-only");
  daemon_.Ok({"release", held});
  daemon_.KillServer();
  EXPECT_EQ(Job(held).at("state"), "QUEUED");
  logs_->SetReadOnly(false);
  EXPECT_EQ(daemon_.Do({"wait", held}).code(), 3) << "accepted, and so it starts once it can";
  ExpectService();
}

// What the disk answers to the next call of the server's, by strace.
class FailingDiskTest : public DiskTest {
 protected:
  Process Inject(const std::string& call, const std::string& error, const std::string& when) {
    Process strace({{"/usr/bin/strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                     "inject=" + call + ":error=" + error + ":when=" + when, "-p", std::to_string(daemon_.ServerPid())},
                    {},
                    {},
                    "/"});
    EXPECT_TRUE(strace.WaitForError("attached")) << strace.err();
    return strace;
  }
  static void End(Process& strace) {
    strace.Signal(SIGINT);
    (void)strace.Finish();
  }
};

TEST_F(FailingDiskTest, AFailedWriteToTheDatabaseLeavesNothingBehind) {
  const std::string running = Gated();
  for (const std::string error : {"ENOSPC", "EIO", "EROFS"}) {
    Process strace = Inject("pwrite64", error, "1+");
    ExpectRefused(Disk::kState, error == "ENOSPC" ? "full" : "failed");
    EXPECT_EQ(Job(running).at("state"), "RUNNING");
    End(strace);
    EXPECT_EQ(daemon_.Do({"run", "--id", "after-" + error, "--", "echo", "again"}).out, "again\n") << error;
  }
  Open();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 5);
}

TEST_F(FailingDiskTest, AFailedSyncIsNotTriedAgainUntilARestart) {
  const std::string running = Gated();
  Process strace = Inject("fdatasync,fsync", "EIO", "1");
  ExpectRefused(Disk::kState, "failed");
  End(strace);
  // The kernel may have dropped what it could not write: only a fresh look at the file tells what is in it.
  ExpectRefused(Disk::kState, "read-only until it is restarted");
  EXPECT_EQ(ProblemOf(Disk::kState), "failing");
  EXPECT_EQ(Job(running).at("state"), "RUNNING");
  EXPECT_EQ(daemon_.Do({"list"}).code(), 0);
  Open();
  ASSERT_TRUE(WaitUntil([&] { return daemon_.Do({"logs", running}).out == "before\nafter\n"; }));
  daemon_.KillServer();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 5) << "held, and imported";
  EXPECT_EQ(daemon_.Do({"run", "--id", "refused", "--", "true"}).code(), 0) << "whatever became of it, to repeat is safe";
}

}  // namespace
}  // namespace jobd::e2e
