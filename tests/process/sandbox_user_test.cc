// The same profiles under a launcher that is an ordinary user's: a user namespace gives what it can.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "tests/process/harness/sandbox_host.h"

namespace jobd::process_test {
namespace {

constexpr uid_t kNobody = 65534;

class UserTest : public testing::TestWithParam<const char*> {
 protected:
  UserTest() : host_(MakeOptions()) {}

  HostOptions MakeOptions() {
    EXPECT_EQ(::chown(logs_.path().c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(::chown(hidden_.path().c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(::chown(work_.path().c_str(), kNobody, kNobody), 0);
    HostOptions options;
    options.log_dir = logs_.path();
    options.hidden = {logs_.path(), hidden_.path()};
    options.policy.profiles = TestProfiles();
    options.as_nobody = true;
    return options;
  }

  std::string Run(const std::string& script, const std::string& workdir = {}) {
    Batch batch(logs_.path(), 1, "run" + std::to_string(++runs_));
    for (const std::string& path : {batch.path(), batch.path() + "/exits", logs_.path() + "/owner"}) {
      EXPECT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
    }
    auto request = batch.Request({"sh", "-c", script});
    request.profile = GetParam();
    request.workdir = workdir;
    const launch::SlotRecord record = RunToEnd(host_, batch, request);
    EXPECT_NE(record.cause, launch::EndCause::kSetupFailed) << launch::StepText(record.step) << ": errno " << record.step_errno;
    return batch.File("1.out");
  }

  TempDir logs_;
  TempDir hidden_;
  TempDir work_;
  LauncherHost host_;
  int runs_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Profiles, UserTest, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(UserTest, StaysWhoItIsWithoutPrivileges) {
  EXPECT_EQ(Run("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"),
            "65534\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
            "CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_P(UserTest, SeesNeitherProcessesNorTheService) {
  EXPECT_EQ(Run("cd /proc; for p in [0-9]*; do echo $p; done; ls -A /tmp; ls -A " + hidden_.path() + " 2>/dev/null"), "1\n2\n");
}

TEST_P(UserTest, OpenIsRefusedWhereItsJobsWouldBeJobdItself) {
  Batch batch(logs_.path(), 1, "open");
  auto request = batch.Request({"true"});
  host_.Send(launch::Launch{request});
  const auto refused = std::get<launch::Refused>(host_.Receive());
  EXPECT_TRUE(refused.policy);
  EXPECT_NE(refused.text.find("jobd is not root"), std::string::npos) << refused.text;
}

TEST_P(UserTest, CannotOpenWhatIsHiddenThroughItsWorkdir) {
  Batch batch(logs_.path(), 1, "hidden");
  for (const std::string& path : {batch.path(), batch.path() + "/exits", logs_.path() + "/owner"}) {
    ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
  }
  auto request = batch.Request({"ls"});
  request.profile = GetParam();
  request.workdir = hidden_.path();
  const launch::SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.step, launch::Step::kWorkdir);
  EXPECT_EQ(record.step_errno, EACCES);
}

TEST_P(UserTest, HasDevicesAndAWorkdir) {
  EXPECT_EQ(Run("echo x >/dev/null && head -c 3 /dev/zero | wc -c; echo made >new && cat new; (true &) && echo ok", work_.path()),
            "3\nmade\nok\n");
}

TEST_P(UserTest, ReadsAndChangesNothingOfTheKernels) {
  EXPECT_EQ(Run("for f in keys kcore timer_list timer_stats sched_debug latency_stats; do head -c 1 /proc/$f 2>/dev/null; done; "
                "ls -A /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v : | head -n 1; ls -A /run; "
                "find /proc/sys /proc/irq /proc/bus /proc/fs /sys -type f ! -name ns_last_pid -writable 2>/dev/null | head -n 1; "
                "for f in /proc/sys/kernel/hostname /proc/sys/kernel/ns_last_pid /proc/sysrq-trigger; do (echo 1 >$f) 2>/dev/null "
                "&& echo $f; done; echo done"),
            "lock\ndone\n");
}

TEST_P(UserTest, GetsNoNamespacesOfItsOwn) {
  EXPECT_EQ(Run(Payload("escape") + " | grep -c -E '^(mount|clone_user|setns) 1$'"), "3\n");
}

TEST_P(UserTest, FaultB4HasTerminalsOfItsOwn) {
  EXPECT_EQ(Run("ls /dev/pts; script -qc 'echo hi' /dev/null </dev/null | tr -d '\\r'"), "ptmx\nhi\n");
}

TEST_P(UserTest, FaultB2HasVariablesAndAHome) {
  EXPECT_EQ(Run("echo $USER $HOME; cd && touch .x && echo written"), "nobody /tmp\nwritten\n");
}

// As if its account's home were ours, with the service in it.
class UserAtHomeTest : public UserTest {
 protected:
  std::string RunAtHome(const std::string& script, const std::string& workdir = {}) { return RunAt(home_.path(), script, workdir); }
  std::string RunAt(const std::string& home, const std::string& script, const std::string& workdir) {
    for (const std::string folder : {"/jobd", "/jobd/certs", "/jobd/etc", "/project", "/.ssh"}) {
      std::filesystem::create_directory(home + folder);
      EXPECT_EQ(::chown((home + folder).c_str(), kNobody, kNobody), 0);
    }
    EXPECT_EQ(::chown(home.c_str(), kNobody, kNobody), 0);
    for (const std::string file : {"/jobd/certs/admin.key", "/jobd/etc/users.toml", "/.bashrc"}) {
      std::ofstream(home + file) << "secret\n";
      EXPECT_EQ(::chown((home + file).c_str(), kNobody, kNobody), 0);
    }
    HostOptions options = MakeOptions();
    options.hidden.push_back(home + "/jobd/certs");
    options.emptied = {home + "/jobd/etc"};
    options.home = home;
    LauncherHost host(options);
    Batch batch(logs_.path(), 1, "home" + std::to_string(++runs_));
    for (const std::string& path : {batch.path(), batch.path() + "/exits", logs_.path() + "/owner"}) {
      EXPECT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
    }
    auto request = batch.Request({"sh", "-c", "cd " + home + "; " + script});
    request.profile = GetParam();
    request.workdir = workdir.empty() ? workdir : home + workdir;
    const launch::SlotRecord record = RunToEnd(host, batch, request);
    EXPECT_NE(record.cause, launch::EndCause::kSetupFailed) << launch::StepText(record.step) << ": errno " << record.step_errno;
    return batch.File("1.out");
  }

  TempDir home_{PayloadDir()};
};
INSTANTIATE_TEST_SUITE_P(Profiles, UserAtHomeTest, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(UserAtHomeTest, FaultA2WhatJobdTrustsCannotBeReadNorTheHomeChanged) {
  EXPECT_EQ(
      RunAtHome("cat jobd/certs/* jobd/etc/* 2>/dev/null; for f in .bashrc jobd/certs/ca.crt jobd/etc/users.toml .ssh/key x; do "
                "(echo x >>$f) 2>/dev/null && echo $f; done; cat .bashrc"),
      "secret\n");
}

TEST_P(UserAtHomeTest, FaultD23AFolderAboveCannotBePutInAnotherPlace) {
  const std::string move =
      "mv jobd/certs jobd/c2 2>/dev/null && echo moved; mv jobd/etc jobd/e2 2>/dev/null && echo moved; "
      "mv jobd j2 2>/dev/null && echo moved; cat jobd/certs/* jobd/etc/* 2>/dev/null; "
      "(echo x >jobd/etc/users.toml) 2>/dev/null && echo written; echo done";
  EXPECT_EQ(RunAtHome(move, "/jobd"), "done\n");
  EXPECT_EQ(RunAtHome(move), "done\n");
  EXPECT_TRUE(std::filesystem::exists(home_.path() + "/jobd/certs/admin.key"));
}

TEST_P(UserAtHomeTest, AFolderThatIsNamedCanBeWorkedIn) {
  EXPECT_EQ(RunAtHome("echo x >project/r && cat project/r; (echo x >.ssh/key) 2>/dev/null && echo written; (echo x >jobd/a) "
                      "2>/dev/null && echo written",
                      "/project"),
            "x\n");
  EXPECT_EQ(RunAtHome("(echo x >.ssh/key) 2>/dev/null && echo written; echo done", "/.ssh"), "done\n");
}

// Where the job has a /tmp of its own, a folder of the machine's is put into it.
TEST_P(UserAtHomeTest, FaultA2AHomeBelowTmpIsAsClosedAsAnother) {
  const TempDir home;
  EXPECT_EQ(RunAt(home.path(), "(echo x >.ssh/key) 2>/dev/null && echo written; echo done", "/.ssh"), "done\n");
  EXPECT_EQ(
      RunAt(home.path(), "(echo x >.bashrc) 2>/dev/null && echo written; (echo x >new) 2>/dev/null && echo made; echo done", "/"),
      "done\n");
  EXPECT_EQ(RunAt(home.path(), "echo x >project/r && cat project/r", "/project"), "x\n");
  EXPECT_EQ(base::ReadFile(AT_FDCWD, home.path() + "/.bashrc").value(), "secret\n");
}

TEST_P(UserTest, LeavesNothingBehind) { EXPECT_EQ(Run("setsid sleep 1000 >/dev/null & echo started"), "started\n"); }

}  // namespace
}  // namespace jobd::process_test
