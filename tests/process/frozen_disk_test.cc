// The log disk does not answer: jobs are ended all the same, and what could not be recorded is recorded when it does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;

// A file system of its own on a loop device.
class Disk {
 public:
  Disk() {
    const std::string image = image_.path() + "/image";
    const std::string quiet = " >/dev/null 2>&1";
    mounted_ = std::system(("truncate -s 16M " + image + " && mkfs.ext4 -q " + image + quiet).c_str()) == 0 &&
               std::system(("mount -o loop " + image + " " + path() + quiet).c_str()) == 0;
  }
  ~Disk() {
    if (!mounted_) return;
    Thaw();
    ::umount2(path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& path() const { return folder_.path(); }
  bool Freeze() { return frozen_ = Command(FIFREEZE); }
  void Thaw() {
    if (std::exchange(frozen_, false)) Command(FITHAW);
  }

 private:
  bool Command(unsigned long command) const {
    const base::Fd dir(::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return ::ioctl(dir.get(), command, 0) == 0;
  }

  TempDir image_;
  TempDir folder_;
  bool mounted_ = false;
  bool frozen_ = false;
};

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

  // Runs a job that writes until it is ended by `end`, on a disk that is frozen meanwhile.
  SlotRecord EndOnFrozenDisk(base::Nanos timeout, bool cancel) {
    LauncherHost host({.log_dir = disk_.path()});
    const Batch batch(disk_.path());
    auto request = batch.Request({"sh", "-c", "while :; do echo line; sleep 0.01; done"});
    request.timeout = timeout;
    host.Send(launch::Launch{request});
    const SlotRecord running = batch.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    const base::Fd job(static_cast<int>(::syscall(SYS_pidfd_open, running.job_pid, 0)));
    EXPECT_TRUE(disk_.Freeze());
    EXPECT_TRUE(HangsSoon(running.shim_pid));
    if (cancel) host.Send(launch::CancelJob{request.key, 0});
    pollfd gone{job.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&gone, 1, 10'000), 1) << "the job waits for the disk";
    disk_.Thaw();
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(host.Receive()));
    return batch.Slot();
  }

  Disk disk_;
};

TEST_F(FaultD8, ACancelDoesNotWaitForTheLogDisk) { EXPECT_EQ(EndOnFrozenDisk(0, true).cause, EndCause::kCancel); }

TEST_F(FaultD8, ADeadlineDoesNotWaitForTheLogDisk) {
  EXPECT_EQ(EndOnFrozenDisk(base::kNanosPerSecond, false).cause, EndCause::kTimeout);
}

}  // namespace
}  // namespace jobd::process_test
