// What a job finds around it: an account, a home, terminals, its limits; and what it must not reach of the service and of others.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "base/files.h"
#include "tests/process/harness/sandbox_host.h"
#include "tests/support/freezable_disk.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

namespace fs = std::filesystem;

class AtHome : public SandboxTest, public testing::WithParamInterface<const char*> {
 protected:
  struct Told {
    std::string out;
    std::string refused;
  };
  // As Run, with all that a request has.
  Told Ask(LauncherHost& host, const std::string& script, const std::function<void(launch::LaunchRequest&)>& change = {}) {
    Batch batch(logs_.path(), 1, "ask" + std::to_string(++asked_));
    auto request = batch.Request({"sh", "-c", script});
    request.profile = GetParam();
    if (change) change(request);
    host.Send(launch::Launch{request});
    const auto answer = host.Receive();
    if (const auto* refused = std::get_if<launch::Refused>(&answer)) return {.out = {}, .refused = refused->text};
    return {.out = batch.File("1.out") + batch.File("1.err"), .refused = {}};
  }
  bool isolated() const { return std::string(GetParam()) != "open"; }
  bool strict() const { return std::string(GetParam()) == "strict"; }

 private:
  int asked_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Profiles, AtHome, testing::Values("open", "standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

class InAView : public AtHome {};
INSTANTIATE_TEST_SUITE_P(Profiles, InAView, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(AtHome, FaultA4JobsOfAnOwnerShareAUidUnlessTheProfileSaysOtherwise) {
  const auto first = Ask(host_, "id -u; id -g").out;
  const auto second = Ask(host_, "id -u; id -g", [](auto& request) { request.key.attempt = 2; }).out;
  EXPECT_EQ(first, second) << "also under strict, when none of them lives beside the other";
  const auto others = Ask(host_, "id -u", [](auto& request) { request.owner = "stranger"; });
  EXPECT_NE(others.refused, "") << "an owner who is not in the policy gets none";
}

TEST_P(AtHome, FaultB1OfTwoOwnersNoneHasTheUidOfTheOther) {
  HostOptions options = options_;
  options.policy.owners["second"] = {};
  LauncherHost host(options);
  Batch batch(logs_.path(), 1, "mine");
  const auto mine = Ask(host, "id -u").out;
  Batch second(logs_.path(), 1, "second", "second");
  auto request = second.Request({"sh", "-c", "id -u"});
  request.profile = GetParam();
  host.Send(launch::Launch{request});
  host.Receive();
  const auto theirs = base::ReadFile(AT_FDCWD, logs_.path() + "/second/second/1.out");
  ASSERT_TRUE(theirs.ok());
  EXPECT_NE(*theirs, mine);
}

TEST_P(InAView, FaultB1TheAccountHasAName) {
  EXPECT_EQ(Ask(host_, "whoami; id -gn; id -un; getent passwd $(id -u) | cut -d: -f6,7; grep -c ^root: /etc/passwd").out,
            "owner\nowner\nowner\n/tmp:/bin/sh\n1\n");
  EXPECT_EQ(Ask(host_, "(echo x >>/etc/passwd) 2>/dev/null || echo refused").out, "refused\n");
}

TEST_P(AtHome, FaultB2VariablesAndAHomeOfItsOwn) {
  EXPECT_EQ(Ask(host_,
                "echo $USER $LOGNAME $SHELL $LANG; cd && test \"$PWD\" = ~ && touch .x && stat -c %u . | grep -x $(id -u) "
                ">/dev/null && echo mine")
                .out,
            "owner owner /bin/sh C.UTF-8\nmine\n");
  if (!isolated()) {
    EXPECT_EQ(Ask(host_, "stat -c %a ~; rm -r ~").out.substr(0, 4), "700\n");
  }
  // A named account has its own.
  EXPECT_EQ(Ask(host_, "echo $HOME $USER", [](auto& request) { request.user = "root"; }).out, "/root root\n");
  // What is asked for wins.
  EXPECT_EQ(Ask(host_, "echo $HOME", [](auto& request) { request.env.emplace_back("HOME", "/x"); }).out, "/x\n");
}

TEST_P(AtHome, FaultB2SettingsAndProfilesHaveVariables) {
  HostOptions options = options_;
  options.policy.default_env = {{"A", "default"}, {"B", "default"}};
  options.policy.profiles = std::move(sandbox::Profiles::Parse("p.toml", "[profile.mine]\ninherits = \"" + std::string(GetParam()) +
                                                                             "\"\nenv = { B = \"profile\", C = \"profile\" }\n"))
                                .value();
  LauncherHost host(options);
  EXPECT_EQ(Ask(host, "echo $A $B $C",
                [](auto& request) {
                  request.profile = "mine";
                  request.env.emplace_back("C", "own");
                })
                .out,
            "default profile own\n");
}

TEST_P(AtHome, FaultB3ItsStreamsCanBeOpenedByName) {
  EXPECT_EQ(Ask(host_,
                "echo a >/dev/stdout; echo b >/dev/stderr; echo c >>/proc/self/fd/1; sh -c 'echo d' | tee /dev/stderr >/dev/null; "
                "cat /dev/stdin")
                .out,
            "a\nc\nb\nd\n");
}

TEST_P(InAView, FaultB4HasTerminalsOfItsOwn) {
  EXPECT_EQ(Ask(host_, "ls /dev/pts; (: </dev/tty) 2>&1 | grep -o 'No such device or address'").out,
            "ptmx\nNo such device or address\n");
  const std::string pty =
      "python3 -c 'import pty,sys; sys.exit(pty.spawn([\"sh\", \"-c\", \"tty; : </dev/tty && echo mine\"]))' </dev/null";
  EXPECT_EQ(Ask(host_, pty).out, "/dev/pts/0\r\nmine\r\n");
  EXPECT_EQ(Ask(host_, "script -qc 'echo hi' /dev/null </dev/null | tr -d '\\r'").out, "hi\n");
}

TEST_P(InAView, FaultManyTerminalsOfOneJobLeaveSomeForOthers) {
  HostOptions options = options_;
  options.policy.owners["second"] = {};
  LauncherHost host(options);
  const Batch greedy(logs_.path(), 1, "greedy");
  auto request = greedy.Request({"python3", "-c",
                                 "import os, time\n"
                                 "n = 0\n"
                                 "try:\n"
                                 "  while True:\n"
                                 "    os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)\n"
                                 "    n += 1\n"
                                 "except OSError as e:\n"
                                 "  print(n, os.strerror(e.errno), flush=True)\n"
                                 "time.sleep(600)\n"});
  request.profile = GetParam();
  host.Send(launch::Launch{request});
  EXPECT_EQ(AwaitFile(greedy.path(), "1.out"), "64 No space left on device\n");
  const Batch other(logs_.path(), 1, "other", "second");
  auto modest = other.Request({"python3", "-c", "import os; os.openpty(); print('got one')"});
  modest.profile = GetParam();
  RunToEnd(host, other, modest);
  EXPECT_EQ(other.File("1.out") + other.File("1.err"), "got one\n");
  host.Send(launch::CancelJob{.key = request.key, .grace = 0});
  host.Receive();
}

TEST_P(InAView, FaultB5ItsLimitsCanBeRead) {
  const auto limits = [](auto& request) { request.limits.memory_bytes = 64u << 20; };
  EXPECT_EQ(Ask(host_, "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes", limits).out,
            std::to_string(64u << 20) + "\n");
  const auto cpus = [](auto& request) { request.limits.cpu_millis = 500; };
  EXPECT_EQ(Ask(host_, "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", cpus).out.substr(0, 5),
            "50000");
}

TEST_P(InAView, FaultB5RuntimesSeeTheirMemory) {
  JOBD_REQUIRE(fs::exists("/usr/bin/java"), "java is not installed");
  const auto limits = [](auto& request) {
    request.limits.memory_bytes = 256u << 20;
    request.env.emplace_back("MALLOC_ARENA_MAX", "1");
  };
  const auto out = Ask(host_, "java -XshowSettings:system -Xint -version 2>&1", limits).out;
  EXPECT_NE(out.find("256.00M"), std::string::npos) << out;
}

TEST_P(InAView, FaultB6LocksAndMessageQueues) { EXPECT_EQ(Ask(host_, "echo x >/run/lock/a && cat /tmp/a").out, "x\n"); }

TEST_P(AtHome, FaultB6ACoreFileWhereOneIsAskedFor) {
  const auto core = [](auto& request) { request.limits.core_bytes = 1u << 20; };
  EXPECT_EQ(Ask(host_, "ulimit -c; ulimit -H -c", core).out, "2048\n2048\n");
  EXPECT_EQ(Ask(host_, "ulimit -c; ulimit -H -c").out, "0\n0\n");
}

TEST_P(InAView, FaultD10NoSetIdFileIsMade) {
  EXPECT_EQ(
      Ask(host_,
          "cd /tmp; cp /bin/true a; for m in 4755 2755 6755 u+s g+s; do chmod $m a 2>/dev/null && echo $m; done; "
          "python3 -c 'import os\nfor call in (lambda: os.open(\"b\", os.O_CREAT | os.O_WRONLY, 0o4755), lambda: os.mknod(\"c\", "
          "0o104755), lambda: os.open(\"/tmp\", os.O_TMPFILE | os.O_RDWR, 0o2755)):\n"
          "  try: call(); print(\"made\")\n  except PermissionError: pass'; "
          "find . -perm /6000; chmod 755 a && chmod 1777 . && mkdir -m 755 d && echo usual")
          .out,
      "usual\n");
}

TEST_P(InAView, FaultD12AbstractSocketsOfTheMachineAreOutOfReach) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = std::string("\0jobd-test-", 11) + std::to_string(::getpid());
  name.copy(address.sun_path, name.size());
  ASSERT_EQ(
      ::bind(socket, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
      0);
  ASSERT_EQ(::listen(socket, 1), 0);
  const std::string tell = "python3 -c 'import socket\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect(\"\\0" + name.substr(1) +
                           "\"); print(\"reached\")\nexcept OSError as e: print(\"refused\")\n"
                           "a = socket.socket(socket.AF_UNIX); a.bind(\"\\0mine\"); a.listen(); b = socket.socket(socket.AF_UNIX); "
                           "b.connect(\"\\0mine\"); print(\"own\")'";
  EXPECT_EQ(Ask(host_, tell).out, "refused\nown\n");
  ::close(socket);
}

TEST_P(AtHome, FaultD18APathMeansWhatItMeansToTheJob) {
  for (const char* path : {"/proc/self/cwd", "/proc/thread-self/cwd", "/proc/self/cwd/."}) {
    const auto out = Ask(host_, "pwd -P", [&](auto& request) { request.workdir = path; }).out;
    if (strict()) continue;  // there it is looked for in the view, where there is no such process
    EXPECT_EQ(out, "/\n") << path;
  }
}

TEST_P(InAView, FaultA3WhatIsMountedLaterIsThere) {
  const TempDir machines(PayloadDir());
  ASSERT_EQ(::chmod(machines.path().c_str(), 0777), 0);
  ASSERT_EQ(Ask(host_, "echo before").out, "before\n");
  JOBD_REQUIRE(::mount("jobd-test", machines.path().c_str(), "tmpfs", 0, "mode=1777,size=64k") == 0, "nothing can be mounted here");
  const auto in_it = [&](auto& request) { request.workdir = machines.path(); };
  Ask(host_, "echo x >r", in_it);
  EXPECT_TRUE(fs::exists(machines.path() + "/r"));
  ASSERT_EQ(::umount2(machines.path().c_str(), MNT_DETACH), 0);
  EXPECT_FALSE(fs::exists(machines.path() + "/r")) << "not below the mount";
  Ask(host_, "echo y >s", in_it);
  EXPECT_TRUE(fs::exists(machines.path() + "/s")) << "and not in what was taken away";
}

// The kernel keeps a file system for as long as some view shows it.
TEST_P(InAView, FaultH9WhatIsUnmountedIsLetGoWithoutAnotherJob) {
  auto disk = std::make_unique<test::FreezableDisk>();
  JOBD_REQUIRE(disk->mounted(), "no loop device can be had here");
  std::string device;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(' ' + disk->path() + ' ') != std::string::npos) device = line.substr(0, line.find(' '));
  }
  const fs::path kept = "/sys/fs/ext4" / fs::path(device).filename();
  JOBD_REQUIRE(!device.empty() && fs::exists(kept), "the kernel lists no mounted disks here");
  // Its view is made with the disk in it.
  ASSERT_EQ(Ask(host_, "echo seen").out, "seen\n");
  disk.reset();
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30); fs::exists(kept);) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "a view still holds " << device;
    std::this_thread::yield();
  }
}

TEST_P(InAView, FaultD23WhatIsTrustedIsHiddenByFolder) {
  const TempDir trusted(PayloadDir());
  ASSERT_EQ(::chmod(trusted.path().c_str(), 0755), 0);
  std::ofstream(trusted.path() + "/users.toml") << "secret";
  fs::create_directory(trusted.path() + "/work");
  ASSERT_EQ(::chmod((trusted.path() + "/work").c_str(), 0777), 0);
  HostOptions options = options_;
  options.emptied = {trusted.path()};
  LauncherHost host(options);
  EXPECT_EQ(Ask(host, "ls " + trusted.path()).out, "work\n");
  // Another file in its place, and one more.
  std::ofstream(trusted.path() + "/new") << "secret";
  fs::rename(trusted.path() + "/new", trusted.path() + "/users.toml");
  std::ofstream(trusted.path() + "/more") << "secret";
  const std::string read =
      "cat " + trusted.path() + "/* 2>/dev/null; echo x >" + trusted.path() + "/y 2>/dev/null; ls " + trusted.path();
  EXPECT_EQ(Ask(host, read).out.find("secret"), std::string::npos);
  EXPECT_EQ(Ask(host, read, [](auto& request) { request.user = "root"; }).out.find("secret"), std::string::npos);
  EXPECT_FALSE(fs::exists(trusted.path() + "/y"));
  // Folders that came later can be worked in.
  fs::create_directory(trusted.path() + "/later");
  ASSERT_EQ(::chmod((trusted.path() + "/later").c_str(), 0777), 0);
  Ask(host, "echo x >r", [&](auto& request) { request.workdir = trusted.path() + "/later"; });
  EXPECT_TRUE(fs::exists(trusted.path() + "/later/r"));
}

TEST_P(InAView, FaultD10AUsedUpRangeIsSaid) {
  HostOptions options = options_;
  options.uid_count = 1;
  options.policy.owners["second"] = {};
  LauncherHost host(options);
  const auto first = Ask(host, "id -u");
  if (strict()) {
    EXPECT_NE(first.refused.find("job_uid_count"), std::string::npos) << first.refused;
    return;
  }
  EXPECT_EQ(first.refused, "");
  const auto second = Ask(host, "id -u", [](auto& request) { request.owner = "second"; });
  EXPECT_NE(second.refused.find("job_uid_count"), std::string::npos) << second.refused;
}

TEST_P(AtHome, FaultD24PolicyAloneMakesNobodyRoot) {
  HostOptions options = options_;
  options.policy.job_user = "root";
  LauncherHost host(options);
  EXPECT_NE(Ask(host, "id -u").refused.find("only the users file"), std::string::npos);
}

TEST_P(AtHome, FaultD11AccountsOfTheServersGroupAreNoneForJobs) {
  HostOptions options = options_;
  options.policy.server_uid = 4242;
  options.policy.server_gid = 60;  // games, in Debian
  options.policy.owners["owner"].run_as = {"games"};
  LauncherHost host(options);
  EXPECT_NE(Ask(host, "id -u", [](auto& request) { request.user = "games"; }).refused.find("in jobd-server's group"),
            std::string::npos);
}

}  // namespace
}  // namespace jobd::process_test
