// What jobs try against the machine and each other where no namespace hides anything (`open`), what they use up, and starts that
// are meant to go wrong. Named after the kinds of attack: ESC isolation escape, RES resource exhaustion, INP input.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/files.h"
#include "sandbox/cgroup/control_file.h"
#include "sandbox/cgroup/processes.h"
#include "tests/process/harness/sandbox_host.h"

namespace jobd::process_test {
namespace {

using launch::SlotRecord;
using launch::Step;

// Nothing but accounts and permissions stands between such a job and the machine.
class OpenAttack : public SandboxTest {
 protected:
  // Under `open` the parent of the job is its shim.
  std::string Against(const std::string& script) { return Run("open", script, {.workdir = open_.path(), .user = {}}); }
};

TEST_F(OpenAttack, Esc02TheProgramOfTheShimCannotBeWritten) {
  struct stat before {};
  ASSERT_EQ(::stat("/proc/self/exe", &before), 0);
  EXPECT_EQ(
      Against("(cat /bin/true >/proc/$PPID/exe) 2>/dev/null && echo written; (cat /bin/true >/proc/1/exe) 2>/dev/null && echo "
              "written; echo done"),
      "done\n");
  struct stat after {};
  ASSERT_EQ(::stat("/proc/self/exe", &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_F(OpenAttack, Esc05TheShimCannotBeKilledOrRead) {
  EXPECT_EQ(
      Against("kill -9 $PPID 2>/dev/null && echo killed; kill -STOP $PPID 2>/dev/null && echo stopped; "
              "for f in environ maps mem io stack fd/0 root/etc/passwd; do head -c 1 /proc/$PPID/$f 2>/dev/null | grep -q . && "
              "echo read $f; done; echo done"),
      "done\n");
  EXPECT_TRUE(ProcessLives(host_.pid()));
}

TEST_F(OpenAttack, Esc05KillingEverythingKillsOnlyItsOwn) {
  Batch batch(logs_.path(), 1, "killall");
  auto request = batch.Request({"sh", "-c", "kill -9 -1; kill -9 $$"});
  const SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGKILL));
  EXPECT_EQ(record.cause, launch::EndCause::kSelf);
  EXPECT_TRUE(ProcessLives(host_.pid()));
}

TEST_F(OpenAttack, Esc06ItCannotLeaveItsControlGroups) {
  EXPECT_EQ(Against("before=$(cat /proc/self/cgroup); for f in $(find /sys/fs/cgroup -name cgroup.procs -o -name tasks); do "
                    "(echo $$ >$f) 2>/dev/null && echo $f; done; test \"$before\" = \"$(cat /proc/self/cgroup)\" && echo stayed"),
            "stayed\n");
}

TEST_F(OpenAttack, Esc07NoReleaseAgentAndNoMountOfControlGroups) {
  EXPECT_EQ(
      Against("for f in $(find /sys/fs/cgroup -name notify_on_release -o -name release_agent -o -name memory.limit_in_bytes -o "
              "-name memory.max -o -name pids.max); do (echo 1 >$f) 2>/dev/null && echo $f; done; mkdir c; "
              "mount -t cgroup -o memory cgroup c 2>/dev/null && echo mounted; mount -t cgroup2 cgroup c 2>/dev/null && echo "
              "mounted; echo done"),
      "done\n");
}

TEST_F(OpenAttack, Esc13And16NoTerminalAndNoneOfTheMachinesLevers) {
  std::istringstream lines(Against(Payload("escape")));
  std::map<std::string, int> attempts;
  std::string name;
  for (int error = 0; lines >> name >> error;) attempts[name] = error;
  for (const char* refused :
       {"tty", "tiocsti", "tiocsti_high", "tioclinux", "mem", "mknod", "sysrq", "sysctl", "sys", "init_mem", "init_environ",
        "init_exe", "init_root", "init_ptrace", "mount", "reboot", "swapon", "acct", "chroot"}) {
    ASSERT_TRUE(attempts.contains(refused)) << refused;
    EXPECT_NE(attempts[refused], 0) << refused;
  }
}

TEST_F(OpenAttack, Esc15And17AJobOfAnotherOwnerHasAnotherAccount) {
  Batch other(logs_.path(), 1, "other", "second");
  auto request = other.Request({"sh", "-c", "umask 077; echo mine >theirs; echo started; sleep 1000; :"});
  request.workdir = open_.path();
  host_.Send(launch::Launch{request});
  AwaitFile(other.path(), "1.out");
  const SlotRecord running = other.AwaitSlot([](const auto& r) { return r.phase == launch::Phase::kRunning; });
  const std::string pid = std::to_string(running.job_pid);
  EXPECT_EQ(Against("cat theirs 2>/dev/null; kill -9 " + pid + " 2>/dev/null && echo killed; head -c 1 /proc/" + pid +
                    "/environ 2>/dev/null; cat " + other.path() + "/1.out 2>/dev/null; echo done"),
            "done\n");
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  host_.Send(launch::CancelJob{.key = request.key, .grace = 0});
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
}

// Once it is there to be limited.
void Limit(LauncherHost& host, int resource, rlimit limit) {
  host.Send(launch::Hello{});
  (void)host.Receive();
  ASSERT_EQ(::prlimit(host.pid(), static_cast<__rlimit_resource>(resource), &limit, nullptr), 0);
}

class Exhaustion : public SandboxTest, public testing::WithParamInterface<const char*> {
 protected:
  SlotRecord Use(const std::string& id, std::vector<std::string> argv, launch::JobLimits limits = {}) {
    Batch batch(logs_.path(), 1, id);
    auto request = batch.Request(std::move(argv));
    request.profile = GetParam();
    request.limits = limits;
    return RunToEnd(host_, batch, request);
  }
};
INSTANTIATE_TEST_SUITE_P(Profiles, Exhaustion, testing::Values("open", "standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(Exhaustion, Res06OpenFilesEndWithTheJobsOwn) {
  EXPECT_EQ(Use("files", {Payload("eat"), "files", "1000"}, {.open_files = 64}).exit, base::ExitStatus::Exited(3));
  EXPECT_EQ(Run(GetParam(), "echo neighbour"), "neighbour\n");
}

TEST_P(Exhaustion, Res08AFloodWithoutANewlineTakesNoMoreThanItsLimit) {
  constexpr uint64_t kLimit = 1u << 20;
  Batch batch(logs_.path(), 1, "flood");
  auto request = batch.Request({"cat", "/dev/zero"});
  request.profile = GetParam();
  request.limits.output_bytes = kLimit;
  host_.Send(launch::Launch{request});
  AwaitFile(batch.path(), "1.out", [](const std::string& content) { return content.size() == kLimit; });
  const SlotRecord running = batch.AwaitSlot([](const auto& r) { return r.phase == launch::Phase::kRunning; });
  const auto memory = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(running.shim_pid) + "/smaps_rollup", 1 << 16);
  ASSERT_TRUE(memory.ok());
  const size_t dirty = memory->find("Private_Dirty:");
  ASSERT_NE(dirty, std::string::npos);
  EXPECT_LT(std::stoul(memory->substr(dirty + 14)), 8u * 1024) << "KiB of the recorder's own";
  host_.Send(launch::CancelJob{.key = request.key, .grace = 0});
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
  const SlotRecord record = batch.Slot();
  EXPECT_EQ(record.stdout_bytes, kLimit);
  EXPECT_EQ(batch.File("1.out").size(), kLimit);
  EXPECT_LT(batch.File("1.idx").size(), 64u * 1024);
  EXPECT_NE(record.flags & launch::kFlagOutputCut, 0u);
  EXPECT_GT(record.dropped_bytes, 0u);
}

TEST_P(Exhaustion, Res12ThousandsOfChildrenThatNobodyWaitsFor) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(Use("children" + std::to_string(round), {Payload("eat"), "children", "3000"}).exit.success());
  }
  // The shim alone may be there still, waiting for another job; when it has gone, there is nothing.
  for (const pid_t pid : sandbox::DescendantsOf(host_.pid(), *sandbox::ParentsOfAll())) {
    const base::Fd held(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const auto name = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/comm", 64);
    EXPECT_TRUE(!name.ok() || *name == "jobd-shim\n") << *name;
    pollfd ended{held.get(), POLLIN, 0};
    EXPECT_TRUE(!held || ::poll(&ended, 1, 20'000) == 1);
  }
  // The launcher has seen that by the second answer: its loop went round in between.
  for (int answers = 0; answers < 2; ++answers) {
    host_.Send(launch::Hello{});
    host_.Receive();
  }
  EXPECT_TRUE(sandbox::DescendantsOf(host_.pid(), *sandbox::ParentsOfAll()).empty());
}

TEST_P(Exhaustion, Res13WhoClosesItsOutputStillHasAnEnd) {
  EXPECT_EQ(Use("closed", {"sh", "-c", "exec >&- 2>&-; exit 7"}).exit, base::ExitStatus::Exited(7));
  EXPECT_EQ(Use("held", {"sh", "-c", "setsid sleep 1000 & exit 5"}).exit, base::ExitStatus::Exited(5))
      << "though the pipe is held open";
}

class ExhaustionTest : public SandboxTest {};

TEST_F(ExhaustionTest, Res06AllInodesOfTheTmpAreTheJobsOwn) {
  const std::string made = Run("small", "i=0; while (: >/tmp/$i) 2>/dev/null; do i=$((i+1)); done; echo $i");
  EXPECT_LT(std::stoi(made), 64);
  EXPECT_EQ(Run("small", ": >/tmp/1 && echo neighbour"), "neighbour\n");
}

TEST_F(ExhaustionTest, Res11ALauncherOutOfDescriptorsRefusesForNowAndRecovers) {
  Batch batch(logs_.path(), 1, "scarce");
  const auto request = batch.Request({"true"});
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  Limit(host_, RLIMIT_NOFILE, {3, files.rlim_max});
  host_.Send(launch::Launch{request});
  const auto refused = std::get<launch::Refused>(host_.Receive());
  EXPECT_TRUE(refused.retry) << refused.text;
  EXPECT_EQ(batch.Slot().phase, launch::Phase::kNone) << "nothing was begun";
  Limit(host_, RLIMIT_NOFILE, files);
  EXPECT_TRUE(RunToEnd(host_, batch, request).exit.success());
}

class InputTest : public SandboxTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Profiles, InputTest, testing::Values("open", "standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(InputTest, Inp06EveryWayNotToBeAProgramIsNamed) {
  const std::string& dir = elsewhere_.path();
  const auto write = [&](const std::string& name, const std::string& content, mode_t mode) {
    std::ofstream(dir + "/" + name) << content;
    EXPECT_EQ(::chmod((dir + "/" + name).c_str(), mode), 0);
    return dir + "/" + name;
  };
  std::filesystem::copy_file("/bin/true", dir + "/busy");
  const base::Fd writer(::open((dir + "/busy").c_str(), O_WRONLY | O_CLOEXEC));
  const std::pair<std::string, int> cases[] = {{dir + "/missing", ENOENT},
                                               {write("plain", "echo x\n", 0644), EACCES},
                                               {dir, EACCES},
                                               {write("interpreter", "#!/no/such/interpreter\n", 0755), ENOENT},
                                               {write("garbage", "\x7f garbage", 0755), ENOEXEC},
                                               {dir + "/busy", ETXTBSY},
                                               {dir + "/plain/below", ENOENT}};
  for (const auto& [program, error] : cases) {
    Batch batch(logs_.path(), 1, "case" + std::to_string(&error - &cases[0].second));
    auto request = batch.Request({program});
    request.profile = GetParam();
    const SlotRecord record = RunToEnd(host_, batch, request);
    EXPECT_EQ(record.cause, launch::EndCause::kSetupFailed) << program;
    EXPECT_EQ(record.step, Step::kExec) << program;
    EXPECT_EQ(record.step_errno, error) << program;
  }
}

TEST_P(InputTest, Inp07And09VariablesReachTheJobAndNobodyElse) {
  Batch batch(logs_.path(), 1, "environment");
  auto request = batch.Request({"/bin/sh", "-c", "env | sort; echo ready; exec sleep 1000"});
  request.profile = GetParam();
  request.env = {
      {"GCONV_PATH", "/tmp/x"}, {"IFS", "x"}, {"LD_AUDIT", "/none.so"}, {"LD_PRELOAD", "/none.so"}, {"PATH", "/usr/bin:/bin"}};
  host_.Send(launch::Launch{request});
  const std::string out = AwaitFile(batch.path(), "1.out", [](const std::string& text) { return text.ends_with("ready\n"); });
  EXPECT_EQ(out.find("HOME=/root"), std::string::npos) << "nothing of ours";
  for (const auto& [name, value] : request.env) {
    if (name == "IFS") continue;  // which the shell sets anew
    EXPECT_NE(out.find(name + "=" + value + "\n"), std::string::npos) << name;
  }
  const SlotRecord running = batch.AwaitSlot([](const auto& r) { return r.phase == launch::Phase::kRunning; });
  for (const pid_t pid : {static_cast<pid_t>(running.shim_pid), host_.pid()}) {
    const auto environment = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/environ", 1 << 20);
    ASSERT_TRUE(environment.ok());
    EXPECT_EQ(environment->find("none.so"), std::string::npos);
  }
  host_.Send(launch::CancelJob{.key = request.key, .grace = 0});
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
}

TEST_P(InputTest, Inp12TooMuchForASmallStackIsAnErrorAndNoCrash) {
  rlimit stack{};
  ASSERT_EQ(::getrlimit(RLIMIT_STACK, &stack), 0);
  Limit(host_, RLIMIT_STACK, {64 * 1024, stack.rlim_max});
  Batch batch(logs_.path(), 1, "stack");
  auto request = batch.Request({"/bin/true"});
  request.profile = GetParam();
  for (int i = 0; i < 10; ++i) request.env.emplace_back("V" + std::to_string(i), std::string(100'000, 'x'));
  const SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.phase, launch::Phase::kEnded);
  EXPECT_EQ(record.step, Step::kExec);
  EXPECT_EQ(record.step_errno, E2BIG);
}

}  // namespace
}  // namespace jobd::process_test
