// What is asked for is enforced, or the job does not run.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Refused;
using launch::SlotRecord;

constexpr uid_t kUidOfBin = 2;  // on any Debian

class PolicyTest : public testing::TestWithParam<bool> {
 protected:
  Refused ExpectRefused(const launch::LaunchRequest& request) {
    host_.Send(launch::Launch{request});
    const auto frame = host_.Receive();
    const auto* refused = std::get_if<Refused>(&frame);
    EXPECT_NE(refused, nullptr);
    EXPECT_EQ(batch_.Slot().phase, launch::Phase::kNone) << "and nothing was begun";
    return refused != nullptr ? *refused : Refused{};
  }
  PolicyTest() { EXPECT_EQ(::chmod(writable_.path().c_str(), 0777), 0); }

  TempDir logs_;
  TempDir writable_;  // by everybody
  LauncherHost host_{
      {.log_dir = logs_.path(),
       .without_cgroups = GetParam(),
       .policy = {.server_uid = kUidOfBin, .owners = {{"owner", {.run_as = {"no-such-account", "nobody", "uid-zero", "bin"}}}}}}};
  Batch batch_{logs_.path()};
};
INSTANTIATE_TEST_SUITE_P(Drivers, PolicyTest, testing::Bool(), [](const auto& driver) { return driver.param ? "Tree" : "Cgroup"; });

TEST_P(PolicyTest, RefusesAccountsThatAreNotNamed) {
  for (const char* user : {"root", "0", "daemon", "-1"}) {
    auto request = batch_.Request({"true"});
    request.user = user;
    const Refused refused = ExpectRefused(request);
    EXPECT_TRUE(refused.policy);
    EXPECT_FALSE(refused.retry);
  }
}

TEST_P(PolicyTest, RefusesAnAccountThatIsGone) {
  auto request = batch_.Request({"true"});
  request.user = "no-such-account";
  EXPECT_FALSE(ExpectRefused(request).retry);
}

TEST_P(PolicyTest, RefusesTheServersOwnAccountThoughItIsNamed) {
  auto request = batch_.Request({"true"});
  request.user = "bin";
  const Refused refused = ExpectRefused(request);
  EXPECT_TRUE(refused.policy);
  if (::geteuid() == 0) {
    EXPECT_EQ(refused.text, "account 'bin' is jobd-server's own");
  }
}

TEST_P(PolicyTest, RefusesProfilesItDoesNotHave) {
  auto request = batch_.Request({"true"});
  request.profile = "no-such-profile";
  EXPECT_EQ(ExpectRefused(request).text, "profile 'no-such-profile' is not available");
}

TEST_P(PolicyTest, RefusesAFolderThatIsNotThere) {
  auto request = batch_.Request({"true"});
  request.correlation_id = "elsewhere";
  ExpectRefused(request);
}

TEST_P(PolicyTest, DoesNotFollowAPlantedFolder) {
  TempDir target;
  std::filesystem::create_symlink(batch_.path(), logs_.path() + "/owner/planted");
  auto request = batch_.Request({"true"});
  request.correlation_id = "planted";
  ExpectRefused(request);
}

TEST_P(PolicyTest, RunsAsTheAccountThatIsNamed) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  auto request = batch_.Request({"sh", "-c", "id -u; id -g; id -G"});
  request.user = "nobody";
  RunToEnd(host_, batch_, request);
  EXPECT_EQ(batch_.File("1.out"), "65534\n65534\n65534\n");
}

TEST_P(PolicyTest, JobsOfAnOwnerRunAsOneUidUnlessTheProfileSaysOneForEach) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  Batch batch(logs_.path(), 4, "uids");
  RunToEnd(host_, batch, batch.Request({"id", "-u"}, 1));
  RunToEnd(host_, batch, batch.Request({"id", "-u"}, 2));
  EXPECT_EQ(batch.File("1.out"), batch.File("2.out"));
  EXPECT_GE(std::stol(batch.File("1.out")), kFirstUid);
  // Two that live at once.
  for (const uint32_t index : {3u, 4u}) {
    auto request = batch.Request({"sh", "-c", "id -u; exec sleep 1000"}, index);
    request.profile = "strict";
    host_.Send(launch::Launch{request});
    AwaitFile(batch.path(), std::to_string(index) + ".out");
  }
  const std::set<std::string> uids{batch.File("1.out"), batch.File("3.out"), batch.File("4.out")};
  EXPECT_EQ(uids.size(), 3u);
  for (const uint32_t index : {3u, 4u}) host_.Send(launch::CancelJob{.key = batch.Request({"x"}, index).key, .grace = 0});
  for (int i = 0; i < 2; ++i) host_.Receive();
}

TEST_P(PolicyTest, ABadFrameEndsTheConnection) {
  ASSERT_EQ(::send(host_.socket(), "garbage", 7, 0), 7);
  EXPECT_EQ(launch::ReceiveLauncherFrame(host_.socket(), true).error().code(), base::Code::kUnavailable);
}

TEST_P(PolicyTest, RefusesAnOwnerItDoesNotKnow) {
  std::filesystem::create_directories(logs_.path() + "/stranger/batch");
  for (const char* profile : {"open", "standard", "strict"}) {
    auto request = batch_.Request({"true"});
    request.owner = "stranger";
    request.profile = profile;
    EXPECT_TRUE(ExpectRefused(request).policy) << profile;
  }
}

TEST_P(PolicyTest, FilesAreLimitedAndTheSignalTells) {
  auto request = batch_.Request({"dd", "if=/dev/zero", "of=" + writable_.path() + "/file", "bs=64K", "count=100"});
  request.limits = {.file_bytes = 1u << 20, .open_files = 32};
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGXFSZ));
  EXPECT_EQ(std::filesystem::file_size(writable_.path() + "/file"), 1u << 20);
}

TEST_P(PolicyTest, OpenFilesAreLimited) {
  auto request = batch_.Request({"sh", "-c", "ulimit -n; ulimit -H -n"});
  request.limits.open_files = 33;
  RunToEnd(host_, batch_, request);
  EXPECT_EQ(batch_.File("1.out"), "33\n33\n");
}

TEST_P(PolicyTest, RefusesATmpSizeWhereTmpIsEverybodys) {
  auto request = batch_.Request({"true"});
  request.limits.tmp_bytes = 1u << 20;
  EXPECT_EQ(ExpectRefused(request).text, "limits.tmp_bytes: cannot be had: profile 'open' has no private /tmp");
}

class NoCgroupTest : public testing::Test {};

TEST_F(NoCgroupTest, RefusesLimitsItCannotEnforce) {
  TempDir logs;
  LauncherHost host({.log_dir = logs.path(), .without_cgroups = true});
  Batch batch(logs.path());
  for (const launch::JobLimits& limits :
       {launch::JobLimits{.memory_bytes = 1 << 20}, launch::JobLimits{.cpu_millis = 500}, launch::JobLimits{.pids = 5},
        launch::JobLimits{.io_read_bytes_per_second = 1 << 20}, launch::JobLimits{.io_write_bytes_per_second = 1 << 20}}) {
    auto request = batch.Request({"true"});
    request.limits = limits;
    host.Send(launch::Launch{request});
    const auto refused = std::get<Refused>(host.Receive());
    EXPECT_FALSE(refused.policy);
    EXPECT_FALSE(refused.retry);
    EXPECT_NE(refused.text.find("cannot be enforced"), std::string::npos) << refused.text;
  }
}

// With the machine's own cgroups.
class LimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    host_.Send(launch::Hello{});
    const auto hello = std::get<launch::HelloAck>(host_.Receive());
    bool all = true;
    for (const auto& capability : hello.capabilities) {
      if (capability.name != "io write limit" && capability.name.ends_with("limit")) all = all && capability.available;
    }
    JOBD_REQUIRE(all, "needs cgroups that limit");
  }
  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path()}};
  Batch batch_{logs_.path()};
};

TEST_F(LimitsTest, MemoryIsLimitedAndTold) {
  auto request = batch_.Request({Payload("eat"), "memory", "256"});
  request.limits.memory_bytes = 32u << 20;
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.cause, EndCause::kMemoryLimit);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(9));
  EXPECT_LE(record.peak_memory, 33u << 20);
  EXPECT_GT(record.peak_memory, 16u << 20);
}

TEST_F(LimitsTest, ProcessesAreLimitedAndTold) {
  auto request = batch_.Request({Payload("eat"), "processes", "50"});
  request.limits.pids = 10;
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(3));
  EXPECT_EQ(record.flags, launch::kFlagPidsLimitHit);
}

TEST_F(LimitsTest, ALimitThatIsKeptIsNotTold) {
  auto request = batch_.Request({Payload("eat"), "memory", "4"});
  request.limits = {.memory_bytes = 64u << 20, .cpu_millis = 2000, .pids = 10};
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_TRUE(record.exit.success());
  EXPECT_EQ(record.flags, 0u);
}

TEST_F(LimitsTest, CpuIsLimited) {
  auto request = batch_.Request({"sh", "-c", "while :; do :; done"});
  request.limits.cpu_millis = 200;
  request.timeout = base::kNanosPerSecond;
  request.kill_after = 0;
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_EQ(record.cause, EndCause::kTimeout);
  EXPECT_LT(record.user_cpu_us + record.system_cpu_us, 500'000u);
}

TEST_F(LimitsTest, WritingToADiskIsLimitedOrRefused) {
  auto request = batch_.Request({"true"});
  request.limits.io_write_bytes_per_second = 1u << 20;
  host_.Send(launch::Launch{request});
  const auto answer = host_.Receive();
  if (std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers")) {
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(answer));
    return;
  }
  const auto* refused = std::get_if<Refused>(&answer);
  ASSERT_NE(refused, nullptr) << "cgroup v1 would let through what goes by the page cache";
  EXPECT_NE(refused->text.find("io write limit cannot be enforced"), std::string::npos) << refused->text;
}

TEST_F(LimitsTest, ReadingFromADiskIsLimited) {
  // Past the page cache, so that each run reads from the disk.
  TempDir folder("/var/lib");
  std::ofstream(folder.path() + "/data") << std::string(4 << 20, 'x');
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  const std::vector<std::string> read{"dd", "if=" + folder.path() + "/data", "of=/dev/null", "bs=1M", "iflag=direct"};
  auto request = batch_.Request(read);
  request.limits.io_read_bytes_per_second = 2u << 20;
  const SlotRecord record = RunToEnd(host_, batch_, request);
  ASSERT_TRUE(record.exit.success()) << batch_.File("1.err");
  EXPECT_GT(record.wall, base::kNanosPerSecond) << "4 MiB at 2 MiB a second";
}

TEST_F(LimitsTest, NoCgroupIsLeft) {
  auto request = batch_.Request({Payload("stubborn")});
  request.limits = {.memory_bytes = 64u << 20, .cpu_millis = 2000, .pids = 10, .io_read_bytes_per_second = 1u << 30};
  RunToEnd(host_, batch_, request);
  const std::string name = sandbox::GroupName(request.key.batch, 1, 1);
  for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup")) {
    for (const auto& root :
         std::filesystem::directory_iterator(entry.path(), std::filesystem::directory_options::skip_permission_denied)) {
      EXPECT_FALSE(std::filesystem::exists(root.path() / name)) << root.path();
    }
  }
}

TEST_F(LimitsTest, ReconcilingRemovesWhatNobodyKnows) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  host_.Send(launch::Launch{request});
  const auto grandchild = static_cast<pid_t>(std::stol(AwaitFile(batch_.path(), "1.out")));
  host_.Kill();
  const auto shim = static_cast<pid_t>(batch_.Slot().shim_pid);
  const base::Fd held(static_cast<int>(::syscall(SYS_pidfd_open, shim, 0)));
  ::kill(shim, SIGKILL);
  pollfd gone{held.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&gone, 1, 10'000), 1);
  const base::Fd orphan(static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0)));
  LauncherHost next({.log_dir = logs_.path()});
  next.Send(launch::Reconciled{});
  pollfd swept{orphan.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&swept, 1, 10'000), 1) << "its shim is dead, and no database knows it";
}

}  // namespace
}  // namespace jobd::process_test
