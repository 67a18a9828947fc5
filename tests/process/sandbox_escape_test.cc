// What jobs try in order to get out. The numbers are those of the list of attacks.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/files.h"
#include "tests/process/harness/sandbox_host.h"

namespace jobd::process_test {
namespace {

class EscapeTest : public SandboxTest, public testing::WithParamInterface<const char*> {
 protected:
  // What payload_escape met, by attempt.
  std::map<std::string, int> Attempts(const std::string& user = {}) {
    std::istringstream lines(Run(GetParam(), Payload("escape"), {.workdir = {}, .user = user}));
    std::map<std::string, int> attempts;
    std::string name;
    for (int error = 0; lines >> name >> error;) attempts[name] = error;
    return attempts;
  }
};
INSTANTIATE_TEST_SUITE_P(Profiles, EscapeTest, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

void ExpectCallsRefused(std::map<std::string, int>& attempts) {
  for (const char* name : {"mount",
                           "umount",
                           "pivot_root",
                           "chroot",
                           "open_tree",
                           "fsopen",
                           "unshare_user",
                           "unshare_high",
                           "setns",
                           "clone_user",
                           "bpf",
                           "perf",
                           "io_uring",
                           "userfaultfd",
                           "keyctl",
                           "add_key",
                           "open_by_handle_at",
                           "process_vm_readv",
                           "reboot",
                           "swapon",
                           "acct",
                           "clock_settime",
                           "sethostname",
                           "syslog",
                           "vsock",
                           "tiocsti",
                           "tiocsti_high",
                           "tioclinux"}) {
    ASSERT_TRUE(attempts.contains(name)) << name;
    EXPECT_EQ(attempts[name], EPERM) << name;
  }
  EXPECT_EQ(attempts["clone3"], ENOSYS);
  EXPECT_EQ(attempts["unknown"], ENOSYS);
#if defined(__x86_64__)
  EXPECT_EQ(attempts["int80"], EPERM);
  EXPECT_EQ(attempts["x32"], ENOSYS);
#endif
  for (const char* name : {"getpid", "clone_plain", "unshare_files", "loopback"}) {
    if (std::string(name) == "unshare_files" && attempts[name] == EPERM) continue;  // strict
    EXPECT_EQ(attempts[name], 0) << name;
  }
  EXPECT_EQ(attempts["tiocgwinsz"], ENOTTY) << "other ioctls get through";
}

void ExpectFilesRefused(std::map<std::string, int>& attempts) {
  for (const char* name : {"tty", "mem", "mknod", "sysrq", "sysctl", "sys", "init_mem", "init_environ", "init_exe", "init_root",
                           "init_ptrace", "kcore"}) {
    ASSERT_TRUE(attempts.contains(name)) << name;
    EXPECT_NE(attempts[name], 0) << name;
  }
}

TEST_P(EscapeTest, Esc04SystemCallsAreRefused) {
  auto attempts = Attempts();
  ExpectCallsRefused(attempts);
  const bool strict = std::string(GetParam()) == "strict";
  EXPECT_EQ(attempts["ptrace"], strict ? EPERM : 0);
  EXPECT_EQ(attempts["personality"], strict ? EPERM : 0);
  if (strict) {
    EXPECT_EQ(attempts["route"], ENETUNREACH);
  }
}

TEST_P(EscapeTest, Esc04SystemCallsAreRefusedToRootToo) {
  auto attempts = Attempts("root");
  ExpectCallsRefused(attempts);
  ExpectFilesRefused(attempts);
}

TEST_P(EscapeTest, Esc02And05And16FilesOfTheMachineAreRefused) {
  auto attempts = Attempts();
  ExpectFilesRefused(attempts);
}

TEST_P(EscapeTest, Esc03NoWorkdirThroughOurDescriptors) {
  for (int fd = 3; fd < 20; ++fd) {
    Batch batch(logs_.path(), 1, "fd" + std::to_string(fd));
    auto request = batch.Request({"cat", "../../etc/shadow"});
    request.profile = GetParam();
    request.workdir = "/proc/self/fd/" + std::to_string(fd);
    const launch::SlotRecord record = RunToEnd(host_, batch, request);
    EXPECT_EQ(batch.File("1.out"), "") << fd;
    EXPECT_FALSE(record.cause == launch::EndCause::kSelf && record.exit.success()) << fd;
  }
}

TEST_P(EscapeTest, Esc04SetUserIdProgramsDoNothing) {
  EXPECT_EQ(Run(GetParam(),
                "for p in su passwd newgrp mount; do f=$(command -v $p) && $f </dev/null >/dev/null 2>&1; done; "
                "id -u >/tmp/u; read u </tmp/u; test $u -ge " +
                    std::to_string(kFirstUid) + " && echo same"),
            "same\n");
}

TEST_P(EscapeTest, Esc05KillingEverythingKillsOnlyItself) {
  Batch batch(logs_.path(), 1, "killall");
  auto request = batch.Request({"sh", "-c", "kill -9 1 2>/dev/null; echo alive; kill -9 -1; kill -9 $$"});
  request.profile = GetParam();
  const launch::SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(batch.File("1.out"), "alive\n");
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGKILL));
  EXPECT_TRUE(ProcessLives(host_.pid()));
}

TEST_P(EscapeTest, Esc06And07NoControlGroupButItsOwnIsToBeSeenAndNoneCanBeChanged) {
  for (const char* user : {"", "root"}) {
    Batch batch(logs_.path(), 1, std::string("groups") + user);
    auto request =
        batch.Request({"sh", "-c",
                       "find /sys/fs/cgroup -mindepth 2 -type d; find /sys/fs/cgroup -type f -writable; "
                       "for f in $(find /sys/fs/cgroup -name cgroup.procs -o -name tasks -o -name '*limit_in_bytes' -o -name "
                       "release_agent -o -name notify_on_release); do (echo $$ >$f) 2>/dev/null && echo changed $f; done; "
                       "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null && echo made; cat "
                       "$(find /sys/fs/cgroup -name cgroup.procs) /dev/null | grep -v -x -e $$ -e '[0-9]*' ; echo done"});
    request.profile = GetParam();
    request.user = user;
    request.limits.memory_bytes = 64u << 20;
    RunToEnd(host_, batch, request);
    EXPECT_EQ(batch.File("1.out"), "done\n") << user;
  }
}

TEST_P(EscapeTest, Esc08DevicesAreTheSameForFiveHundredStarts) {
  // Each tries to replace what the next one would get.
  constexpr uint32_t kJobs = 500;
  Batch batch(logs_.path(), kJobs, "null");
  for (uint32_t index = 1; index <= kJobs; ++index) {
    auto request =
        batch.Request({"sh", "-c", "ln -sf /etc/passwd /dev/null 2>/dev/null; test -c /dev/null && test ! -s /dev/null"}, index);
    request.profile = GetParam();
    ASSERT_TRUE(RunToEnd(host_, batch, request).exit.success()) << index;
  }
  struct stat info {};
  ASSERT_EQ(::stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST_P(EscapeTest, Esc10LibrariesOfTheWorkdirAreNotLoadedByUs) {
  EXPECT_EQ(Run(GetParam(), "echo nonsense >libc.so.6; echo nonsense >ld.so.preload; echo 'passwd: x' >nsswitch.conf; echo ok",
                {.workdir = open_.path()}),
            "ok\n");
  EXPECT_EQ(Run(GetParam(), "echo ok", {.workdir = open_.path()}), "ok\n");
}

TEST_P(EscapeTest, Esc15And17OtherJobsCannotBeSeenOrSignalled) {
  Batch other(logs_.path(), 1, "other");
  auto request = other.Request({"sh", "-c", "echo mine >/tmp/theirs; echo started; sleep 1000; :", "secret-argument"});
  request.profile = GetParam();
  request.user = "root";
  host_.Send(launch::Launch{request});
  AwaitFile(other.path(), "1.out");
  const launch::SlotRecord running = other.AwaitSlot([](const auto& r) { return r.phase == launch::Phase::kRunning; });
  const std::string pid = std::to_string(running.job_pid);
  Batch batch(logs_.path(), 1, "spy");
  auto spy = batch.Request(
      {"sh", "-c", "cat /proc/[0-9]*/cmdline | grep -c secret-[a]rg; kill -9 " + pid + " 2>/dev/null && echo killed; ls /tmp"});
  spy.profile = GetParam();
  spy.user = "root";  // the same account
  RunToEnd(host_, batch, spy);
  EXPECT_EQ(batch.File("1.out"), "0\n");
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_.Send(launch::CancelJob{.key = request.key, .grace = 0});
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(running.job_pid)));
}

// The first process of its pid namespace is jobd's image.
TEST_P(EscapeTest, FaultG10WhatStandsBesideAJobSaysNothingOfJobd) {
  EXPECT_EQ(Run(GetParam(), "tr -d '\\0' </proc/1/cmdline", {.workdir = open_.path()}), "jobd-shim");
}

TEST_P(EscapeTest, Esc18NoCoreIsLeft) {
  EXPECT_EQ(Run(GetParam(), "sh -c 'kill -SEGV $$'; ls -A", {.workdir = elsewhere_.path()}), "");
}

TEST_P(EscapeTest, Res06AFullTmpIsTheJobsOwn) {
  EXPECT_EQ(Run("small",
                "head -c 900000 /dev/zero >/tmp/1; i=2; while head -c 900000 /dev/zero >/tmp/$i; do i=$((i+1)); "
                "done 2>/dev/null; echo full; exit 0"),
            "full\n");
}

TEST_P(EscapeTest, Res06AForkBombHitsItsOwnLimit) {
  Batch batch(logs_.path(), 1, "bomb");
  auto request = batch.Request({"sh", "-c", "while :; do sleep 1000 & done"});
  request.profile = GetParam();
  request.limits.pids = 20;
  const launch::SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_NE(record.flags & launch::kFlagPidsLimitHit, 0u);
  EXPECT_EQ(Run(GetParam(), "echo neighbour"), "neighbour\n");
}

TEST_P(EscapeTest, Res07OutOfMemoryKillsTheJobAndNotItsRecorder) {
  Batch batch(logs_.path(), 1, "oom");
  auto request = batch.Request({"tail", "/dev/zero"});  // keeps what may be the last line
  request.profile = GetParam();
  request.limits.memory_bytes = 32u << 20;
  const launch::SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.phase, launch::Phase::kEnded);
  EXPECT_EQ(record.cause, launch::EndCause::kMemoryLimit);
}

TEST_P(EscapeTest, AKilledShimTakesItsJobAlong) {
  Batch batch(logs_.path(), 1, "shim");
  auto request = batch.Request({"sh", "-c", "setsid sleep 1000 & exec sleep 1000"});
  request.profile = GetParam();
  host_.Send(launch::Launch{request});
  const launch::SlotRecord running = batch.AwaitSlot([](const auto& r) { return r.phase == launch::Phase::kRunning; });
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGKILL), 0);
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
  EXPECT_FALSE(ProcessLives(static_cast<pid_t>(running.job_pid)));
}

TEST_P(EscapeTest, Esc03NoSymbolicLinkLeadsOutOfTheFoldersOfItsOwner) {
  HostOptions options = options_;
  options.policy.owners["owner"].bounds.workdirs = {open_.path(), elsewhere_.path()};
  LauncherHost host(options);
  // Planted by an earlier job of the same owner.
  std::filesystem::create_directory(elsewhere_.path() + "/real");
  std::filesystem::create_directory_symlink("/etc", elsewhere_.path() + "/etc");
  std::filesystem::create_directory_symlink("/", open_.path() + "/root");
  ASSERT_EQ(::chmod((elsewhere_.path() + "/real").c_str(), 0777), 0);
  const std::tuple<std::string, launch::Step, int> cases[] = {{elsewhere_.path() + "/real", launch::Step::kNone, 0},
                                                              {elsewhere_.path() + "/etc", launch::Step::kWorkdir, ELOOP},
                                                              {open_.path() + "/root/etc", launch::Step::kWorkdir, ELOOP}};
  for (const auto& [folder, step, error] : cases) {
    Batch batch(logs_.path(), 1, "link" + std::to_string(&folder - &std::get<0>(cases[0])));
    auto request = batch.Request({"true"});
    request.profile = GetParam();
    request.workdir = folder;
    const launch::SlotRecord record = RunToEnd(host, batch, request);
    EXPECT_EQ(record.step, step) << folder;
    EXPECT_EQ(record.step_errno, error) << folder;
  }
  Batch batch(logs_.path(), 1, "outside");
  auto request = batch.Request({"true"});
  request.profile = GetParam();
  request.workdir = "/etc";
  host.Send(launch::Launch{request});
  EXPECT_TRUE(std::get<launch::Refused>(host.Receive()).policy);
}

TEST_P(EscapeTest, AProfileThatIsNotAllowedIsRefused) {
  HostOptions options = options_;
  options.policy.owners["owner"].profiles = {"offline"};
  LauncherHost host(options);
  Batch batch(logs_.path(), 1, "refused");
  auto request = batch.Request({"true"});
  request.profile = GetParam();
  host.Send(launch::Launch{request});
  const auto refused = std::get<launch::Refused>(host.Receive());
  EXPECT_TRUE(refused.policy);
  EXPECT_EQ(refused.text, std::string("profile '") + GetParam() + "' is not allowed for owner");
}

}  // namespace
}  // namespace jobd::process_test
