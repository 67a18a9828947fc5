// The table of profiles, a test for each cell.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "tests/process/harness/sandbox_host.h"

namespace jobd::process_test {
namespace {

using launch::SlotRecord;

class CellsTest : public SandboxTest {};

std::string NamespaceOfOurs(const std::string& kind) {
  return std::filesystem::read_symlink("/proc/self/ns/" + kind).string() + "\n";
}

class EveryProfile : public CellsTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Cells, EveryProfile, testing::Values("open", "standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

class Isolated : public EveryProfile {};
INSTANTIATE_TEST_SUITE_P(Cells, Isolated, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_F(CellsTest, RunsInACgroupOfItsOwn) { EXPECT_THAT(Run("open", "cat /proc/self/cgroup"), testing::HasSubstr("job-")); }

TEST_P(Isolated, FaultB5SeesItsCgroupAsTheOnlyOne) { EXPECT_EQ(Run(GetParam(), "cut -d: -f3 /proc/self/cgroup | sort -u"), "/\n"); }

TEST_P(EveryProfile, EndsWithAllItsProcesses) {
  Batch batch(logs_.path(), 1, "tree");
  auto request = batch.Request({"sh", "-c", "setsid sleep 1000 & setsid sleep 1000 & cat /proc/self/cgroup"});
  request.profile = GetParam();
  RunToEnd(host_, batch, request);
  const std::string group = sandbox::GroupName(request.key.batch, request.key.index, request.key.attempt);
  for (const std::string top : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    std::error_code none;
    for (const auto& root : std::filesystem::directory_iterator(top, none)) {
      EXPECT_FALSE(std::filesystem::exists(root.path() / group)) << root.path();
    }
  }
}

TEST_P(EveryProfile, HasNoTerminalAndThreeDescriptors) {
  EXPECT_EQ(Run(GetParam(), "test -t 0 || test -t 1 || test -t 2 || echo none; cd /proc/self/fd && echo *"), "none\n0 1 2 3\n");
}

TEST_P(EveryProfile, LeadsASessionOfItsOwn) {
  EXPECT_EQ(Run(GetParam(), "read pid comm state parent group session rest </proc/$$/stat; test $pid = $session && echo yes"),
            "yes\n");
}

TEST_P(EveryProfile, LeavesNoCore) { EXPECT_EQ(Run(GetParam(), "ulimit -c; ulimit -H -c"), "0\n0\n"); }

TEST_P(EveryProfile, RunsUnderAUidOfItsOwn) { EXPECT_GE(std::stoul(Run(GetParam(), "id -u")), kFirstUid); }

TEST_P(Isolated, HasNoPrivilegesAndAFilter) {
  EXPECT_EQ(Run(GetParam(), "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"),
            "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
            "CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_P(Isolated, HasNoPrivilegesEvenAsRoot) {
  EXPECT_EQ(
      Run(GetParam(), "id -u; grep -E '^Cap(Prm|Bnd)' /proc/self/status; (echo 0 >/proc/sys/vm/drop_caches) 2>&1 | tail -c 22",
          {.user = "root"}),
      "0\nCapPrm:\t0000000000000000\nCapBnd:\t0000000000000000\nRead-only file system\n");
}

TEST_P(Isolated, HasNamespacesOfItsOwn) {
  for (const std::string kind : {"pid", "ipc", "uts", "mnt", "cgroup"}) {
    EXPECT_NE(Run(GetParam(), "readlink /proc/self/ns/" + kind), NamespaceOfOurs(kind)) << kind;
  }
}

TEST_P(Isolated, SeesNoProcessButItsOwn) {
  EXPECT_EQ(Run(GetParam(), "echo $$; cd /proc; for p in [0-9]*; do echo $p; done"), "2\n1\n2\n");
}

TEST_P(Isolated, DiesOfASignalLikeAnybody) {
  Batch batch(logs_.path(), 1, "signal");
  auto request = batch.Request({"sh", "-c", "kill -TERM $$; echo survived"});
  request.profile = GetParam();
  EXPECT_EQ(RunToEnd(host_, batch, request).exit, base::ExitStatus::Signaled(SIGTERM));
}

TEST_P(Isolated, HasPrivateTemporaryFolders) {
  EXPECT_EQ(Run(GetParam(), "ls -A /tmp /var/tmp; echo x >/tmp/a; cat /var/tmp/a; echo y >/dev/shm/b; ls /tmp"),
            "/tmp:\n\n/var/tmp:\nx\na\nb\n");
  EXPECT_FALSE(std::filesystem::exists("/tmp/a"));
  EXPECT_EQ(Run(GetParam(), "ls -A /tmp"), "");
}

TEST_P(Isolated, HasFewDevices) {
  EXPECT_EQ(Run(GetParam(), "ls /dev; echo x >/dev/null && head -c 2 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c"),
            "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n2\n2\n");
  EXPECT_EQ(Run(GetParam(), "rm /dev/null 2>/dev/null || echo refused; ln -s /etc/passwd /dev/x 2>/dev/null || echo refused"),
            "refused\nrefused\n");
}

TEST_P(Isolated, SeesNothingOfTheService) {
  EXPECT_EQ(Run(GetParam(), "ls " + hidden_.path() + " 2>&1 | grep -c secret; cat " + secret_file() + " 2>/dev/null | wc -c"),
            "0\n0\n");
  EXPECT_EQ(Run(GetParam(), "ls -A " + logs_.path() + " 2>/dev/null; find /sys/fs/cgroup -name 'job*'"), "");
}

TEST_P(Isolated, SeesNothingThatRunsOnTheMachine) {
  const TempDir of_machine("/run");
  EXPECT_EQ(Run(GetParam(), "ls -A /run; ls " + of_machine.path() + " 2>/dev/null; touch /run/x 2>/dev/null && echo written"),
            "lock\n");
}

TEST_F(CellsTest, NamesCanStillBeResolvedByAServiceOfTheMachine) {
  const TempDir service("/run");
  std::ofstream(service.path() + "/stub.conf") << "nameserver 192.0.2.1\n";
  const std::string link = logs_.path() + "/resolv.conf";
  std::filesystem::create_symlink(service.path() + "/stub.conf", link);
  HostOptions options = options_;
  options.resolver = link;
  LauncherHost host(options);
  const auto run = [&](const std::string& profile) {
    Batch batch(logs_.path(), 1, "resolve-" + profile);
    auto request = batch.Request({"sh", "-c", "ls -A /run; cat " + service.path() + "/stub.conf; touch " + service.path() + "/x"});
    request.profile = profile;
    request.user = "root";
    RunToEnd(host, batch, request);
    return batch.File("1.out");
  };
  const std::string name = std::filesystem::path(service.path()).filename();
  EXPECT_EQ(run("standard"), name + "\nlock\nnameserver 192.0.2.1\n");
  EXPECT_EQ(run("strict"), "lock\n") << "it has no network";
  EXPECT_FALSE(std::filesystem::exists(service.path() + "/x"));
}

TEST_P(Isolated, ReadsNoSecretsOfTheKernel) {
  // A key of root's, in a keyring that lasts as long as we do.
  constexpr int kProcessKeyring = -2;
  constexpr int kSetPermissions = 5;  // KEYCTL_SETPERM
  constexpr unsigned kAllMayView = 0x3f010101;
  const long key = ::syscall(SYS_add_key, "user", "jobd-test", "x", 1, kProcessKeyring);
  if (key >= 0) {
    ASSERT_EQ(::syscall(SYS_keyctl, kSetPermissions, key, kAllMayView), 0);
    EXPECT_THAT(*base::ReadFile(AT_FDCWD, "/proc/keys"), testing::HasSubstr("jobd-test"));
  }
  const std::string read_all =
      "for f in keys kcore timer_list timer_stats sched_debug latency_stats; do head -c 1 /proc/$f 2>/dev/null; done; "
      "ls -A /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v : | head -n 1";
  EXPECT_EQ(Run(GetParam(), read_all), "");
  EXPECT_EQ(Run(GetParam(), read_all, {.workdir = {}, .user = "root"}), "");
}

TEST_P(Isolated, ChangesNothingInTheKernel) {
  // ns_last_pid may be opened by all, and written to by nobody without a capability.
  const std::string write =
      "find /proc/sys /proc/irq /proc/bus /proc/fs /sys -type f ! -name ns_last_pid -writable 2>/dev/null | head -n 1; "
      "for f in /proc/sys/kernel/hostname /proc/sys/kernel/ns_last_pid /proc/sys/vm/overcommit_memory /proc/sysrq-trigger; do "
      "(echo 1 >$f) 2>/dev/null && "
      "echo $f; done; echo done";
  EXPECT_EQ(Run(GetParam(), write), "done\n");
  EXPECT_EQ(Run(GetParam(), write, {.workdir = {}, .user = "root"}), "done\n");
}

TEST_P(Isolated, CannotBeMadeToSeeTheServiceByItsWorkdir) {
  Batch batch(logs_.path(), 1, "workdir");
  auto request = batch.Request({"ls"});
  request.profile = GetParam();
  request.workdir = hidden_.path();
  const SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.cause, launch::EndCause::kSetupFailed);
  EXPECT_EQ(record.step, launch::Step::kWorkdir);
  EXPECT_EQ(record.step_errno, EACCES);
}

TEST_P(Isolated, WorksInTheFolderThatIsNamed) {
  EXPECT_EQ(Run(GetParam(), "pwd; cat given; echo made >new", {.workdir = open_.path()}), open_.path() + "\nhere\n");
  EXPECT_EQ(*base::ReadFile(AT_FDCWD, open_.path() + "/new"), "made\n");
}

TEST_P(Isolated, GetsNoFolderThatItsUserCannotReach) {
  const std::string closed = open_.path() + "/closed";
  std::filesystem::create_directories(closed + "/inner");
  ASSERT_EQ(::chmod(closed.c_str(), 0700), 0);
  Batch batch(logs_.path(), 1, "closed");
  auto request = batch.Request({"ls"});
  request.profile = GetParam();
  request.workdir = closed + "/inner";
  const SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_EQ(record.step, launch::Step::kWorkdir);
  EXPECT_EQ(record.step_errno, EACCES);
}

TEST_P(Isolated, SaysWhyAFolderIsNoWorkdir) {
  const std::pair<std::string, int> cases[] = {
      {open_.path() + "/none", ENOENT}, {"/no/such", ENOENT}, {open_.path() + "/given", ENOTDIR}};
  for (const auto& [folder, error] : cases) {
    Batch batch(logs_.path(), 1, "case" + std::to_string(&folder - &cases[0].first));
    auto request = batch.Request({"true"});
    request.profile = GetParam();
    request.workdir = folder;
    const SlotRecord record = RunToEnd(host_, batch, request);
    EXPECT_EQ(record.step, launch::Step::kWorkdir) << folder;
    EXPECT_EQ(record.step_errno, error) << folder;
  }
}

TEST_F(CellsTest, OpenSharesTheMachine) {
  EXPECT_EQ(Run("open", "readlink /proc/self/ns/mnt"), NamespaceOfOurs("mnt"));
  EXPECT_EQ(Run("open", "readlink /proc/self/ns/net"), NamespaceOfOurs("net"));
}

TEST_F(CellsTest, StandardHasTheNetworkUnlessTheProfileSaysNo) {
  EXPECT_EQ(Run("standard", "readlink /proc/self/ns/net"), NamespaceOfOurs("net"));
  EXPECT_NE(Run("offline", "readlink /proc/self/ns/net"), NamespaceOfOurs("net"));
}

TEST_F(CellsTest, StrictHasNothingButLoopback) {
  EXPECT_NE(Run("strict", "readlink /proc/self/ns/net"), NamespaceOfOurs("net"));
  EXPECT_EQ(Run("strict", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"), "lo\n");
}

TEST_F(CellsTest, StandardWritesWhereItsUserMay) {
  EXPECT_EQ(Run("standard", "cd " + elsewhere_.path() + " && echo x >a && cat a"), "x\n");
}

TEST_F(CellsTest, StrictWritesOnlyInItsWorkdir) {
  EXPECT_THAT(Run("strict", "cd " + elsewhere_.path() + "; echo x >a"), "");
  EXPECT_FALSE(std::filesystem::exists(elsewhere_.path() + "/a"));
  EXPECT_EQ(Run("strict", "touch /proc/self/x /etc/x /run/x /var/x " + elsewhere_.path() + "/x 2>/dev/null; echo x >a; cat a",
                {.workdir = elsewhere_.path()}),
            "x\n");
  EXPECT_TRUE(std::filesystem::exists(elsewhere_.path() + "/a"));
}

TEST_F(CellsTest, LandlockIsAWallOfItsOwn) {
  // A profile of an administrator's, with nothing but namespaces between.
  EXPECT_EQ(Run("landlocked", "(echo x >" + elsewhere_.path() + "/b) 2>/dev/null; echo y >/tmp/c && cat /tmp/c"), "y\n");
  EXPECT_FALSE(std::filesystem::exists(elsewhere_.path() + "/b"));
}

TEST_P(Isolated, ItsOwnTmpIsAsLargeAsItAskedFor) {
  Batch batch(logs_.path(), 1, "tmp");
  auto request = batch.Request({"sh", "-c", "head -c 3000000 /dev/zero >/tmp/f 2>/dev/null; wc -c </tmp/f"});
  request.profile = GetParam();
  request.limits.tmp_bytes = 1u << 20;
  RunToEnd(host_, batch, request);
  EXPECT_EQ(batch.File("1.out"), "1048576\n");
}

TEST_F(CellsTest, AJobMayAskForLessThanItsProfileHasAndNotForMore) {
  const auto limited = [&](const std::string& id, const launch::JobLimits& limits) {
    Batch batch(logs_.path(), 1, id);
    auto request = batch.Request({"sh", "-c", "ulimit -n; ulimit -f; df --output=size /tmp | tail -n 1 | tr -d ' '"});
    request.profile = "small";
    request.limits = limits;
    host_.Send(launch::Launch{request});
    const auto answer = host_.Receive();
    if (const auto* refused = std::get_if<launch::Refused>(&answer)) return refused->text.substr(0, refused->text.find(": "));
    return batch.File("1.out");
  };
  EXPECT_EQ(limited("less", {.file_bytes = 1u << 19, .open_files = 20, .tmp_bytes = 1u << 20}), "20\n1024\n1024\n");
  EXPECT_EQ(limited("files", {.open_files = 65}), "limits.open_files");
  EXPECT_EQ(limited("size", {.file_bytes = (1u << 20) + 1}), "limits.file_bytes");
  EXPECT_EQ(limited("tmp", {.tmp_bytes = 5u << 20}), "limits.tmp_bytes");
}

TEST_F(CellsTest, LimitsOfAProfileHold) {
  EXPECT_EQ(Run("small", "ulimit -n; head -c 3000000 /dev/zero >/tmp/f 2>/dev/null; wc -c </tmp/f"), "64\n1048576\n");
  EXPECT_EQ(
      Run("small", "for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero >/tmp/f$i; done 2>/dev/null; du -s /tmp | cut -f1"),
      "4096\n");
}

}  // namespace
}  // namespace jobd::process_test
