// Disks that do not answer, or are not there: nothing that runs is out of reach, and nothing is ended for it.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/freezable_disk.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

using Clock = std::chrono::steady_clock;

class HungDiskTest : public testing::Test {
 protected:
  // False: there is nothing to test.
  bool Use(const std::string& folder) {
    disk_.emplace(daemon_.folder() + "/" + folder);
    [this] { JOBD_REQUIRE(disk_->mounted(), "needs to mount an ext4 file system by a loop device"); }();
    if (!disk_->mounted()) return false;
    EXPECT_TRUE(daemon_.Start()) << daemon_.log();
    return daemon_.running();
  }
  void TearDown() override {
    if (disk_) disk_->Thaw();
  }
  std::string ProblemOf(const std::string& name) {
    const auto status = nlohmann::json::parse(daemon_.Do({"admin", "status", "--json"}, "admin").out, nullptr, false);
    if (status.is_discarded()) return "no status";
    for (const auto& one : status.at("disks")) {
      if (one.at("name") == name) return one.at("problem");
    }
    return "no such disk";
  }
  nlohmann::json Job(const std::string& id) { return nlohmann::json::parse(daemon_.Ok({"status", "--json", id})).at("jobs").at(0); }
  // A job that runs, and the process of it that says so.
  std::string Running(const std::string& script = "trap 'exit 7' USR1; touch up-$$; while :; do sleep 0.02; done") {
    const std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", script});
    EXPECT_TRUE(WaitUntil([&] { return Job(id).at("state") == "RUNNING"; }));
    return id;
  }
  // From its exit record.
  pid_t ShimOf(const std::string& id) { return PidIn(id, 12); }
  pid_t ProcessOf(const std::string& id) { return PidIn(id, 16); }
  pid_t PidIn(const std::string& id, size_t at) {
    const std::string exits = ReadFileOrEmpty(daemon_.LogDir() + "/operator/" + id + "/exits");
    uint32_t pid = 0;
    if (exits.size() >= at + sizeof pid) std::memcpy(&pid, exits.data() + at, sizeof pid);
    EXPECT_TRUE(ProcessLives(static_cast<pid_t>(pid)));
    return static_cast<pid_t>(pid);
  }
  // jobd is told to stop, and does, within what its patience with jobd-server adds up to.
  void ExpectStopInTime() {
    const pid_t launcher = daemon_.LauncherPid();
    ::kill(launcher, SIGTERM);
    EXPECT_TRUE(WaitUntil([&] { return !ProcessLives(launcher); }, Seconds(20))) << daemon_.log();
    // A server that hangs in the kernel keeps what the test reads of jobd open.
    disk_->Thaw();
    EXPECT_EQ(daemon_.Stop().code(), 0) << daemon_.log();
  }

  Daemon daemon_{{"[limits]\nmax_running = 8\nmin_free_bytes = \"1M\"\n", {}, ""}};
  std::optional<test::FreezableDisk> disk_;
};

TEST_F(HungDiskTest, FaultD8ASubmissionOnAFrozenLogDiskDelaysNothing) {
  if (!Use("logs")) return;
  const std::string running = Running();
  const std::string waits = "waits";
  EXPECT_EQ(daemon_.Do({"submit", "--hold", "--id", waits, "-"}, "operator", "true\n").code(), 0);
  ASSERT_TRUE(disk_->Freeze());
  // It gets a slot, and then waits for its folder.
  EXPECT_EQ(daemon_.Do({"release", waits}).code(), 0);
  Process submission(daemon_.Ctl({"run", "-d", "--", "true"}));
  Process another(daemon_.Ctl({"run", "-d", "--", "true"}));
  const auto begin = Clock::now();
  EXPECT_EQ(daemon_.Do({"cancel", "-t", "0s", running}).code(), 0);
  EXPECT_EQ(daemon_.Do({"list"}).code(), 0);
  EXPECT_LT(Clock::now() - begin, Seconds(8));
  EXPECT_TRUE(WaitUntil([&] { return ProblemOf("log") == "not answering"; })) << ProblemOf("log");
  // What has a slot waits for its folder, and says so.
  const auto names_the_disk = [&](std::vector<std::string> verb) {
    return WaitUntil([&] { return daemon_.Do(verb).out.find("the log disk takes nothing") != std::string::npos; });
  };
  EXPECT_TRUE(names_the_disk({"explain", waits})) << daemon_.Do({"explain", waits}).out;
  EXPECT_TRUE(names_the_disk({"status", waits})) << daemon_.Do({"status", waits}).out;
  EXPECT_EQ(daemon_.Do({"run", "--connect-timeout", "2s", "-d", "--", "true"}).code(), 125);
  EXPECT_TRUE(WaitUntil([&] { return daemon_.log().find("the log disk is not answering") != std::string::npos; }));
  disk_->Thaw();
  EXPECT_TRUE(WaitUntil([&] { return ProblemOf("log").empty(); }));
  EXPECT_EQ(daemon_.Do({"run", "--", "echo", "again"}).out, "again\n");
  EXPECT_TRUE(WaitUntil([&] { return Job(running).at("state") == "CANCELLED"; }));
}

TEST_F(HungDiskTest, FaultD8AKillOnAFrozenLogDiskReachesTheJobThatItSaysItReached) {
  if (!Use("logs")) return;
  const std::string running = Running("while :; do echo line; sleep 0.01; done");
  const pid_t process = ProcessOf(running);
  ASSERT_TRUE(disk_->Freeze());
  EXPECT_EQ(daemon_.Do({"kill", "-s", "KILL", running}).code(), 0);
  EXPECT_TRUE(WaitUntil([&] { return !ProcessLives(process); })) << "before the thaw";
  disk_->Thaw();
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 128 + SIGKILL);
}

// Nobody has asked after the disk before.
TEST_F(HungDiskTest, FaultD8TheFirstWhoSubmitsOrLooksWhileTheLogDiskHangsIsTold) {
  if (!Use("logs")) return;
  ASSERT_TRUE(disk_->Freeze());
  // It may have answered a moment before; then what is accepted waits.
  Output told = daemon_.Do({"run", "--connect-timeout", "2s", "-d", "--", "true"});
  if (told.code() == 0) told = daemon_.Do({"run", "--connect-timeout", "2s", "-d", "--", "true"});
  EXPECT_EQ(told.code(), 125);
  EXPECT_NE(told.err.find("the log disk does not answer"), std::string::npos) << told.err;
  EXPECT_EQ(ProblemOf("log"), "not answering");
  disk_->Thaw();
  EXPECT_TRUE(WaitUntil([&] { return ProblemOf("log").empty(); }));
  EXPECT_EQ(daemon_.Do({"run", "--", "echo", "again"}).out, "again\n");
  ASSERT_TRUE(disk_->Freeze());
  EXPECT_TRUE(WaitUntil([&] { return ProblemOf("log") == "not answering"; }));
}

class FrozenStopTest : public HungDiskTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Disks, FrozenStopTest, testing::Values("state", "logs"), [](const auto& disk) { return disk.param; });

TEST_P(FrozenStopTest, FaultD8ASigtermEndsInTime) {
  if (!Use(GetParam())) return;
  const std::string running = Running();
  ASSERT_TRUE(disk_->Freeze());
  // Somebody waits for the disk by now.
  Process submission(daemon_.Ctl({"run", "-d", "--", "true"}));
  EXPECT_TRUE(WaitUntil([&] { return ProblemOf(GetParam() == std::string("logs") ? "log" : "state") == "not answering"; }));
  ExpectStopInTime();
  disk_->Thaw();
  ASSERT_TRUE(WaitUntil([&] { return daemon_.Start(Seconds(10)); })) << daemon_.log();
  EXPECT_EQ(Job(running).at("state"), "RUNNING");
}

TEST_F(HungDiskTest, FaultD22ALogDiskThatIsNotMountedEndsNothingAndIsNamed) {
  if (!Use("logs")) return;
  const std::string running = Running();
  const std::string cancelled = Running();
  daemon_.KillLauncher();
  ASSERT_TRUE(disk_->Detach());
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(daemon_.log().find("removing what is left"), std::string::npos);
  EXPECT_EQ(ProblemOf("log"), "without the records of 2 jobs that run (is it mounted? was it emptied or replaced?)");
  EXPECT_EQ(daemon_.Do({"run", "--connect-timeout", "2s", "-d", "--", "true"}).code(), 125) << "it would write below the mount";
  EXPECT_EQ(daemon_.Do({"cancel", "-t", "0s", cancelled}).code(), 0);
  EXPECT_TRUE(WaitUntil([&] { return Job(cancelled).at("state") == "LOST"; })) << Job(cancelled);
  EXPECT_NE(Job(cancelled).dump().find("its exit record is missing"), std::string::npos) << Job(cancelled);
  EXPECT_NE(Job(running).at("state"), "LOST");
  // It comes back, and all is as it was.
  daemon_.Stop();
  ASSERT_TRUE(disk_->Attach());
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(ProblemOf("log"), "");
  EXPECT_EQ(Job(running).at("state"), "RUNNING");
  EXPECT_EQ(daemon_.Do({"kill", "-s", "USR1", running}).code(), 0);
  EXPECT_EQ(daemon_.Do({"wait", running}).code(), 7) << "its record was kept by its shim";
}

TEST_F(HungDiskTest, FaultD22WhatEndedWhileTheLogFolderIsEmptiedIsLostAtOnce) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const std::string running = Running("while ! test -e gate; do sleep 0.02; done");
  const pid_t shim = ShimOf(running);
  daemon_.KillLauncher();
  std::filesystem::remove_all(daemon_.LogDir() + "/operator");
  WriteFile(daemon_.ShareDir() + "/gate", "");
  EXPECT_TRUE(WaitUntil([&] { return !ProcessLives(shim); }));
  const auto begin = Clock::now();
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_TRUE(WaitUntil([&] { return Job(running).at("state") == "LOST"; }));
  EXPECT_LT(Clock::now() - begin, Seconds(5));
  EXPECT_EQ(daemon_.Do({"run", "--", "echo", "again"}).out, "again\n");
}

TEST_F(HungDiskTest, FaultD22ARuntimeFolderThatIsGoneKeepsNoServerAway) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const std::string running = Running();
  const Command status = daemon_.Ctl({"status", "--json", running});
  const size_t begin = daemon_.log().size();
  const pid_t server = daemon_.ServerPid();
  std::filesystem::remove_all(daemon_.RuntimeDir());
  ::kill(server, SIGKILL);
  EXPECT_TRUE(WaitUntil([&] { return daemon_.log().find("jobd info ready at", begin) != std::string::npos; })) << daemon_.log();
  EXPECT_NE(RunCommand(status).out.find("RUNNING"), std::string::npos);
  daemon_.Stop();
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(Job(running).at("state"), "RUNNING");
}

TEST_F(HungDiskTest, FaultD22ASlotFileThatWasCutShortKillsNothing) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const std::string running = Running();
  daemon_.KillLauncher();
  std::filesystem::resize_file(daemon_.LogDir() + "/operator/" + running + "/exits", 0);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(daemon_.Do({"cancel", "-t", "0s", running}).code(), 0);
  EXPECT_TRUE(WaitUntil([&] { return Job(running).at("state") == "CANCELLED"; })) << "its shim has the lock, and writes its record";
}

}  // namespace
}  // namespace jobd::e2e
