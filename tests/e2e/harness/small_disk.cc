#include "tests/e2e/harness/small_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/fd.h"
#include "tests/support/temp_dir.h"

namespace jobd::e2e {

namespace fs = std::filesystem;

bool SmallDisk::Possible(std::string& why) {
  const test::TempDir folder;
  const bool mounted = ::mount("jobd-test", folder.path().c_str(), "tmpfs", 0, "size=64k") == 0;
  if (!mounted) why = std::string("needs to mount a tmpfs: ") + std::strerror(errno);
  if (mounted) ::umount2(folder.path().c_str(), MNT_DETACH);
  return mounted;
}

SmallDisk::SmallDisk(std::string folder, const std::string& options) : folder_(std::move(folder)), options_(options) {
  fs::create_directories(folder_);
  EXPECT_EQ(::mount("jobd-test", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, (options_ + ",mode=0750").c_str()), 0)
      << std::strerror(errno);
}

SmallDisk::~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }

void SmallDisk::TakeSpace() const {
  const base::Fd file(::open((folder_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_TRUE(file) << std::strerror(errno);
  const std::string block(4096, 'x');
  ssize_t n = 0;
  while ((n = ::write(file.get(), block.data(), block.size())) > 0) {
  }
  EXPECT_TRUE(n < 0 && errno == ENOSPC) << std::strerror(errno);
}

void SmallDisk::TakeInodes() const {
  fs::create_directory(folder_ + "/fillers");
  for (int i = 0;; ++i) {
    const base::Fd file(::open((folder_ + "/fillers/" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (file) continue;
    EXPECT_EQ(errno, ENOSPC) << std::strerror(errno);
    return;
  }
}

void SmallDisk::GiveBack() const {
  std::error_code ignored;
  fs::remove(folder_ + "/filler", ignored);
  fs::remove_all(folder_ + "/fillers", ignored);
}

void SmallDisk::SetReadOnly(bool on) const {
  EXPECT_EQ(
      ::mount("jobd-test", folder_.c_str(), nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV | (on ? MS_RDONLY : 0), options_.c_str()), 0)
      << std::strerror(errno);
}

}  // namespace jobd::e2e
