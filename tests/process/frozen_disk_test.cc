// The log disk does not answer: jobs are ended all the same, and what could not be recorded is recorded when it does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/freezable_disk.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;

bool HangsSoon(uint32_t pid) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    const auto stat = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat");
    if (stat.ok() && stat->find(") D ") != std::string::npos) return true;
    ::sched_yield();
  }
  return false;
}

class FaultD8 : public testing::Test {
 protected:
  void SetUp() override { JOBD_REQUIRE(disk_.mounted(), "needs to mount an ext4 file system by a loop device"); }

  // Runs a job that writes until it is ended, on a disk that is frozen meanwhile. `adopt`: by then with another launcher.
  SlotRecord EndOnFrozenDisk(base::Nanos timeout, bool cancel, bool adopt = false) {
    std::optional<LauncherHost> first{HostOptions{.log_dir = disk_.path()}};
    LauncherHost& host = *first;
    const Batch batch(disk_.path());
    auto request = batch.Request({"sh", "-c", "while :; do echo line; sleep 0.01; done"});
    request.timeout = timeout;
    host.Send(launch::Launch{request});
    const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    const base::Fd job(static_cast<int>(::syscall(SYS_pidfd_open, running.job_pid, 0)));
    EXPECT_TRUE(disk_.Freeze());
    EXPECT_TRUE(HangsSoon(running.shim_pid));
    if (adopt) {
      host.Kill();
      first.emplace(HostOptions{.log_dir = disk_.path()});
      host.Send(batch.WatchOf(request));
    }
    if (cancel) host.Send(launch::CancelJob{request.key, 0});
    pollfd gone{job.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&gone, 1, 10'000), 1) << "the job waits for the disk";
    disk_.Thaw();
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
    return batch.Slot();
  }

  test::FreezableDisk disk_;
};

TEST_F(FaultD8, ACancelDoesNotWaitForTheLogDisk) { EXPECT_EQ(EndOnFrozenDisk(0, true).cause, EndCause::kCancel); }

TEST_F(FaultD8, ADeadlineDoesNotWaitForTheLogDisk) {
  EXPECT_EQ(EndOnFrozenDisk(base::kNanosPerSecond, false).cause, EndCause::kTimeout);
}

// A launcher that starts meanwhile finds the shims without waiting for the disk, and stands behind them.
TEST_F(FaultD8, FaultD20ACancelOfAnAdoptedJobDoesNotWaitForTheLogDisk) {
  EXPECT_EQ(EndOnFrozenDisk(0, true, true).cause, EndCause::kCancel);
}

TEST_F(FaultD8, FaultD20ADeadlineOfAnAdoptedJobDoesNotWaitForTheLogDisk) {
  EXPECT_EQ(EndOnFrozenDisk(2 * base::kNanosPerSecond, false, true).cause, EndCause::kTimeout);
}

// Whose uid is whose is written down before a job of a new owner starts; the jobs of others do not wait for that.
TEST_F(FaultD8, TheFirstJobOfAnOwnerHoldsUpNobody) {
  HostOptions options{.log_dir = disk_.path(), .keeps_uids = true};
  options.policy.owners["second"] = {};
  LauncherHost host(options);
  const Batch batch(disk_.path());
  const Batch other(disk_.path(), 1, "batch", "second");
  const auto request = batch.Request({"sleep", "1000"});
  host.Send(launch::Launch{request});
  const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
  const base::Fd job(static_cast<int>(::syscall(SYS_pidfd_open, running.job_pid, 0)));
  EXPECT_TRUE(disk_.Freeze());
  for (int i = 0; i < 3; ++i) {
    host.Send(launch::Launch{other.Request({"true"})});
    const auto refused = std::get<launch::Refused>(host.Receive());
    EXPECT_TRUE(refused.retry) << refused.text;
  }
  host.Send(launch::CancelJob{request.key, 0});
  pollfd gone{job.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 10'000), 1) << "the cancel waits for the disk";
  disk_.Thaw();
  EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
  // As a server does: again.
  for (;;) {
    host.Send(launch::Launch{other.Request({"true"})});
    const auto answer = host.Receive();
    if (std::holds_alternative<launch::ShimExited>(answer)) break;
    ASSERT_TRUE(std::get<launch::Refused>(answer).retry) << std::get<launch::Refused>(answer).text;
  }
  EXPECT_EQ(other.Slot().exit, base::ExitStatus::Exited(0));
}

}  // namespace
}  // namespace jobd::process_test
