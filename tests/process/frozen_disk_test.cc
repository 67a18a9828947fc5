// The log disk does not answer: jobs are ended all the same, and what could not be recorded is recorded when it does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
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

// A signal reaches the job while its shim hangs, and once: the shim does not send it again when the disk is back.
class FaultD8Signals : public FaultD8 {
 protected:
  void ExpectOneOfEach(bool adopt) {
    std::optional<LauncherHost> first{HostOptions{.log_dir = disk_.path()}};
    const Batch batch(disk_.path());
    const TempDir other("", 0777);
    auto request = batch.Request({"sh", "-c",
                                  "cd " + other.path() +
                                      "; trap 'echo 1 >>usr1' USR1; trap 'echo 2 >>usr2' USR2; trap 'exit 7' TERM; "
                                      "echo up >up; while :; do echo line; sleep 0.01; done"});
    first->Send(launch::Launch{request});
    const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    AwaitFile(other.path(), "up");
    ASSERT_TRUE(disk_.Freeze());
    ASSERT_TRUE(HangsSoon(running.shim_pid));
    if (adopt) {
      first->Kill();
      first.emplace(HostOptions{.log_dir = disk_.path()});
      first->Send(batch.WatchOf(request));
    }
    first->Send(launch::SignalJob{request.key, SIGUSR1});
    AwaitFile(other.path(), "usr1");
    first->Send(launch::SignalJob{request.key, SIGUSR2});
    AwaitFile(other.path(), "usr2");
    disk_.Thaw();
    // Behind those in the shim's queue, if it has them.
    first->Send(launch::SignalJob{request.key, SIGTERM});
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(first->Receive()));
    EXPECT_EQ(batch.Slot().exit, base::ExitStatus::Exited(7));
    EXPECT_EQ(*base::ReadFile(AT_FDCWD, other.path() + "/usr1"), "1\n");
    EXPECT_EQ(*base::ReadFile(AT_FDCWD, other.path() + "/usr2"), "2\n");
  }
};

TEST_F(FaultD8Signals, EachReachesTheJobOnceWhileTheLogDiskHangs) { ExpectOneOfEach(false); }
TEST_F(FaultD8Signals, FaultD20EachReachesAnAdoptedJobOnceWhileTheLogDiskHangs) { ExpectOneOfEach(true); }

TEST_F(FaultD8Signals, AKillDoesNotWaitForTheLogDisk) {
  LauncherHost host(HostOptions{.log_dir = disk_.path()});
  const Batch batch(disk_.path());
  auto request = batch.Request({"sh", "-c", "while :; do echo line; sleep 0.01; done"});
  host.Send(launch::Launch{request});
  const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
  const base::Fd job(static_cast<int>(::syscall(SYS_pidfd_open, running.job_pid, 0)));
  ASSERT_TRUE(disk_.Freeze());
  ASSERT_TRUE(HangsSoon(running.shim_pid));
  host.Send(launch::SignalJob{request.key, SIGKILL});
  pollfd gone{job.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 10'000), 1) << "the job waits for the disk";
  disk_.Thaw();
  EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
  EXPECT_EQ(batch.Slot().exit, base::ExitStatus::Signaled(SIGKILL));
}

// What ended a job while its shim hung is not what it was told behind that.
class FaultG10Ends : public FaultD8 {
 protected:
  // Has `end` end a job on a frozen disk, and `later` happen when it has ended; its record after the thaw.
  template <typename End, typename Later>
  SlotRecord RecordOf(base::Nanos timeout, End end, Later later) {
    LauncherHost host(HostOptions{.log_dir = disk_.path()});
    const Batch batch(disk_.path());
    const TempDir other("", 0777);
    auto request =
        batch.Request({"sh", "-c", "cd " + other.path() + "; while ! test -e gate; do echo line; sleep 0.01; done; exit 3"});
    request.timeout = timeout;
    host.Send(launch::Launch{request});
    const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    const base::Fd job(static_cast<int>(::syscall(SYS_pidfd_open, running.job_pid, 0)));
    EXPECT_TRUE(disk_.Freeze());
    EXPECT_TRUE(HangsSoon(running.shim_pid));
    end(host, request.key, other.path());
    pollfd gone{job.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&gone, 1, 10'000), 1);
    later(host, request.key, running);
    // The launcher has done that.
    host.Send(launch::Hello{});
    EXPECT_TRUE(std::holds_alternative<launch::HelloAck>(host.Receive()));
    disk_.Thaw();
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
    return batch.Slot();
  }
  static void Kill(LauncherHost& host, launch::JobKey key, const std::string& /*folder*/) {
    host.Send(launch::SignalJob{key, SIGKILL});
  }
  static void Exit(LauncherHost& /*host*/, launch::JobKey /*key*/, const std::string& folder) {
    EXPECT_TRUE(base::Fd(::open((folder + "/gate").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)));
  }
  static void Cancel(LauncherHost& host, launch::JobKey key, const SlotRecord& /*running*/) {
    host.Send(launch::CancelJob{key, 0});
  }
};

TEST_F(FaultG10Ends, AKillBeforeACancelIsAKill) {
  const SlotRecord record = RecordOf(0, Kill, Cancel);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGKILL));
}

TEST_F(FaultG10Ends, AnEndOfItsOwnBeforeACancelIsItsOwn) {
  const SlotRecord record = RecordOf(0, Exit, Cancel);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_EQ(record.exit, base::ExitStatus::Exited(3));
}

TEST_F(FaultG10Ends, AKillBeforeTheDeadlineIsAKill) {
  const SlotRecord record = RecordOf(3 * base::kNanosPerSecond, Kill, [](LauncherHost&, launch::JobKey, const SlotRecord& running) {
    const base::SystemClock clock;
    while (clock.Monotonic() < running.deadline) ::poll(nullptr, 0, 50);
  });
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_EQ(record.exit, base::ExitStatus::Signaled(SIGKILL));
}

TEST_F(FaultG10Ends, ADeadlineBeforeACancelIsTheDeadline) {
  const SlotRecord record = RecordOf(
      base::kNanosPerSecond, [](LauncherHost&, launch::JobKey, const std::string&) {}, Cancel);
  EXPECT_EQ(record.cause, EndCause::kTimeout);
}

TEST_F(FaultG10Ends, ACancelBeforeAKillIsACancel) {
  const SlotRecord record = RecordOf(
      0,
      [](LauncherHost& host, launch::JobKey key, const std::string&) {
        host.Send(launch::CancelJob{key, 0});
      },
      [](LauncherHost& host, launch::JobKey key, const SlotRecord&) {
        host.Send(launch::SignalJob{key, SIGKILL});
      });
  EXPECT_EQ(record.cause, EndCause::kCancel);
}

// No disk is needed for a shim that takes nothing.
TEST(FaultD8StoppedShim, ASignalMakesAShimThatWasStoppedGoOn) {
  const TempDir logs;
  LauncherHost host(HostOptions{.log_dir = logs.path()});
  const Batch batch(logs.path());
  auto request = batch.Request({"sleep", "1000"});
  host.Send(launch::Launch{request});
  const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
  ASSERT_EQ(::kill(static_cast<pid_t>(running.shim_pid), SIGSTOP), 0);
  host.Send(launch::SignalJob{request.key, SIGINT});
  EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
  EXPECT_EQ(batch.Slot().exit, base::ExitStatus::Signaled(SIGINT));
}

}  // namespace
}  // namespace jobd::process_test
