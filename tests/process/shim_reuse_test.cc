// A shim that has done one job takes the next: nothing of the one may be seen in the other, and no shim waits for ever.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "launch/contract/step.h"
#include "launch/shim/shim.h"
#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;

constexpr uint32_t kJobs = 64;

class ShimReuseTest : public testing::Test {
 protected:
  SlotRecord Run(std::vector<std::string> argv, const std::string& profile = "open") {
    auto request = Next(std::move(argv));
    request.profile = profile;
    return RunToEnd(host_, batch_, request);
  }
  launch::LaunchRequest Next(std::vector<std::string> argv) { return batch_.Request(std::move(argv), ++index_); }
  std::string Output() const { return batch_.File(std::to_string(index_) + ".out"); }
  static pid_t ShimOf(const SlotRecord& record) { return static_cast<pid_t>(record.shim_pid); }
  static base::Fd Hold(pid_t pid) { return base::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }
  static bool EndsSoon(const base::Fd& pidfd) {
    pollfd ended{pidfd.get(), POLLIN, 0};
    return ::poll(&ended, 1, 20'000) == 1;
  }
  // To the same policy.
  void Reload() {
    host_.Send(launch::PrepareReload{});
    const auto files = host_.Receive();
    ASSERT_TRUE(std::holds_alternative<launch::Files>(files));
    host_.Send(launch::CommitReload{std::get<launch::Files>(files).revision});
    const auto reloaded = host_.Receive();
    ASSERT_TRUE(std::holds_alternative<launch::Reloaded>(reloaded) && std::get<launch::Reloaded>(reloaded).done);
  }
  // As a launcher does it: `serial` is the job's among those of the shim.
  static void SendCancel(pid_t shim, uint64_t serial) {
    siginfo_t info{};
    info.si_signo = launch::kCancelSignal;
    info.si_code = SI_QUEUE;
    info.si_value.sival_ptr = reinterpret_cast<void*>(serial << 32);
    ASSERT_EQ(::syscall(SYS_rt_sigqueueinfo, shim, launch::kCancelSignal, &info), 0);
  }
  static std::set<std::string> DescriptorsOf(pid_t pid) {
    std::set<std::string> numbers;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
      numbers.insert(entry.path().filename());
    }
    return numbers;
  }

  TempDir logs_;
  // So long that no shim is let go because the machine is slow.
  LauncherHost host_{{.log_dir = logs_.path(), .shim_turn = std::chrono::hours(1)}};
  Batch batch_{logs_.path(), kJobs};
  uint32_t index_ = 0;
};

TEST_F(ShimReuseTest, OneShimDoesJobAfterJob) {
  const pid_t shim = ShimOf(Run({"sh", "-c", "echo one; exit 3"}));
  EXPECT_EQ(Output(), "one\n");
  const SlotRecord second = Run({"echo", "two"});
  EXPECT_EQ(ShimOf(second), shim);
  EXPECT_EQ(second.exit, base::ExitStatus::Exited(0));
  EXPECT_EQ(Output(), "two\n");
}

TEST_F(ShimReuseTest, NothingOfOneJobIsSeenByTheNext) {
  const std::string look = "env | grep -v PWD | sort; ls -l /proc/self/fd | wc -l; umask; cat; readlink /proc/self/ns/*";
  const pid_t shim = ShimOf(Run({"sh", "-c", look}));
  std::string expected = Output();
  auto rich = Next({"sh", "-c", "ulimit -n; cat >/dev/null; exit 9"});
  rich.env.emplace_back("SECRET", "of one job");
  rich.stdin_data = "for one job";
  rich.limits.open_files = 32;
  rich.limits.output_bytes = 10;
  EXPECT_EQ(RunToEnd(host_, batch_, rich).exit, base::ExitStatus::Exited(9));
  // Isolated ones in between: their namespaces are theirs alone.
  EXPECT_EQ(Run({"true"}, "standard").exit, base::ExitStatus::Exited(0));
  EXPECT_EQ(Run({"true"}, "strict").exit, base::ExitStatus::Exited(0));
  EXPECT_EQ(ShimOf(Run({"sh", "-c", look})), shim) << "all of these were one shim's";
  for (const std::string name : {"JOBD_INDEX=", "JOBD_JOB_ID=batch/"}) {
    const size_t at = expected.find(name + "1\n");
    ASSERT_NE(at, std::string::npos) << expected;
    expected.replace(at, name.size() + 1, name + std::to_string(index_));
  }
  EXPECT_EQ(Output(), expected);
}

TEST_F(ShimReuseTest, AShimHoldsNothingOfItsJobs) {
  const pid_t shim = ShimOf(Run({"true"}));
  const auto before = DescriptorsOf(shim);
  for (const char* profile : {"open", "standard", "strict", "open"}) {
    EXPECT_EQ(ShimOf(Run({"sh", "-c", "echo out; echo err >&2; (sleep 0.05 &)"}, profile)), shim);
  }
  EXPECT_EQ(DescriptorsOf(shim), before);
}

// The job's process shares the shim's memory until it executes a program, and here it never does.
TEST_F(ShimReuseTest, AStepThatFailsLeavesTheShimAsItWas) {
  const pid_t shim = ShimOf(Run({"true"}));
  for (int round = 0; round < 8; ++round) {
    const SlotRecord missing = Run({"/no/such/program"}, round % 2 == 0 ? "open" : "standard");
    EXPECT_EQ(missing.step, launch::Step::kExec);
    EXPECT_EQ(missing.step_errno, ENOENT);
    auto astray = Next({"true"});
    astray.workdir = "/proc/self/exe";
    const SlotRecord record = RunToEnd(host_, batch_, astray);
    EXPECT_EQ(record.step, launch::Step::kWorkdir);
    EXPECT_EQ(record.step_errno, ENOTDIR);
    EXPECT_EQ(ShimOf(Run({"sh", "-c", "echo here; exit 4"})), shim);
    EXPECT_EQ(Output(), "here\n");
  }
}

TEST_F(ShimReuseTest, ALateSignalForOneJobDoesNotHitTheNext) {
  const pid_t shim = ShimOf(Run({"true"}));
  auto request = Next({"sh", "-c", "echo up; exec sleep 3600"});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), std::to_string(index_) + ".out");
  ASSERT_EQ(ShimOf(batch_.Slot(index_)), shim);
  SendCancel(shim, 1);
  // Signals are read in their order: had the first one counted, the grace of this one could not have made it a KILL.
  host_.Send(launch::SignalJob{request.key, SIGUSR1});
  host_.Receive();
  const SlotRecord record = batch_.Slot(index_);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGUSR1));
}

TEST_F(ShimReuseTest, ASignalForTheJobAtHandOrForWhicheverItIsCounts) {
  uint64_t job = 0;
  const pid_t shim = ShimOf(Run({"true"}));
  ++job;
  for (const bool whichever : {true, false}) {
    auto request = Next({"sh", "-c", "echo up; exec sleep 3600"});
    host_.Send(launch::Launch{request});
    AwaitFile(batch_.path(), std::to_string(index_) + ".out");
    SendCancel(shim, whichever ? 0 : job + 1);
    ++job;
    host_.Receive();
    EXPECT_EQ(ShimOf(batch_.Slot(index_)), shim);
    EXPECT_EQ(batch_.Slot(index_).cause, EndCause::kCancel) << whichever;
  }
}

TEST_F(ShimReuseTest, AnAttemptThatHasBegunBeforeIsRefusedByAShimThatWaited) {
  const auto first = Next({"true"});
  RunToEnd(host_, batch_, first);
  host_.Send(launch::Launch{first});
  const auto refused = std::get<launch::Refused>(host_.Receive());
  EXPECT_EQ(refused.key, first.key);
  EXPECT_FALSE(refused.retry);
  EXPECT_EQ(Run({"true"}).exit, base::ExitStatus::Exited(0));
}

TEST_F(ShimReuseTest, AJobTooLargeToBeSentGetsAShimOfItsOwn) {
  const pid_t shim = ShimOf(Run({"true"}));
  auto large = Next({"wc", "-c"});
  large.stdin_data.assign(1'000'000, 'x');
  EXPECT_NE(ShimOf(RunToEnd(host_, batch_, large)), shim);
  EXPECT_EQ(Output(), "1000000\n");
  auto wordy = Next({"true"});
  for (int i = 0; i < 10; ++i) wordy.env.emplace_back("WORDS" + std::to_string(i), std::string(10'000, 'x'));
  EXPECT_TRUE(RunToEnd(host_, batch_, wordy).exit.success());
  EXPECT_TRUE(ProcessLives(shim)) << "who could not have these waits on";
}

TEST_F(ShimReuseTest, AShimKilledWhileItWaitsCostsNoJob) {
  const pid_t shim = ShimOf(Run({"true"}));
  const base::Fd held = Hold(shim);
  ::kill(shim, SIGKILL);
  ASSERT_TRUE(EndsSoon(held));
  const SlotRecord record = Run({"true"});
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(0));
  EXPECT_NE(ShimOf(record), shim);
}

TEST_F(ShimReuseTest, AnotherPolicyGetsOtherShims) {
  const pid_t shim = ShimOf(Run({"true"}));
  const base::Fd held = Hold(shim);
  Reload();
  EXPECT_TRUE(EndsSoon(held));
  EXPECT_NE(ShimOf(Run({"true"})), shim);
}

TEST_F(ShimReuseTest, AShimThatHadAJobUnderAnotherPolicyGetsNoMore) {
  auto request = Next({"sh", "-c", "echo up; exec sleep 3600"});
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), std::to_string(index_) + ".out");
  const base::Fd held = Hold(ShimOf(batch_.Slot(index_)));
  Reload();
  host_.Send(launch::CancelJob{request.key, 0});
  host_.Receive();
  EXPECT_TRUE(EndsSoon(held));
}

TEST_F(ShimReuseTest, NoShimWaitsForEver) {
  LauncherHost host({.log_dir = logs_.path(), .shim_turn = std::chrono::milliseconds(1)});
  const base::Fd held = Hold(ShimOf(RunToEnd(host, batch_, Next({"true"}))));
  EXPECT_TRUE(!held || EndsSoon(held)) << "without work there are no shims";
  EXPECT_EQ(RunToEnd(host, batch_, Next({"true"})).exit, base::ExitStatus::Exited(0));
}

TEST_F(ShimReuseTest, ShimsThatWaitEndWithTheirLauncher) {
  const base::Fd held = Hold(ShimOf(Run({"true"})));
  host_.Kill();
  EXPECT_TRUE(EndsSoon(held));
}

TEST_F(ShimReuseTest, AShimWhoseLauncherIsGoneDoesItsJobAndEnds) {
  Run({"true"});
  auto request = Next({});
  const std::string fifo = logs_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0666), 0);
  std::filesystem::permissions(logs_.path(), std::filesystem::perms::all);
  request.argv = {"sh", "-c", "echo up; read line <" + fifo + "; exit 5"};
  host_.Send(launch::Launch{request});
  AwaitFile(batch_.path(), std::to_string(index_) + ".out");
  const base::Fd held = Hold(ShimOf(batch_.Slot(index_)));
  host_.Kill();
  { std::ofstream(fifo) << "go\n"; }
  EXPECT_TRUE(EndsSoon(held));
  EXPECT_EQ(batch_.Slot(index_).phase, Phase::kEnded);
  EXPECT_EQ(batch_.Slot(index_).exit, base::ExitStatus::Exited(5));
}

// Without a controller that counts, the peak is what the kernel tells of the job's own process.
TEST(ShimReuseWithoutCgroupsTest, UsageIsTheJobsOwn) {
  TempDir logs;
  LauncherHost host({.log_dir = logs.path(), .without_cgroups = true, .shim_turn = std::chrono::hours(1)});
  Batch batch(logs.path(), 2);
  const SlotRecord big = RunToEnd(host, batch, batch.Request({Payload("eat"), "memory", "256"}, 1));
  const SlotRecord small = RunToEnd(host, batch, batch.Request({"true"}, 2));
  EXPECT_EQ(big.shim_pid, small.shim_pid);
  EXPECT_LT(small.peak_memory, big.peak_memory / 4);
}

}  // namespace
}  // namespace jobd::process_test
