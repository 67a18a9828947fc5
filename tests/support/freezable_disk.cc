#include "tests/support/freezable_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace jobd::test {

FreezableDisk::FreezableDisk(const std::string& folder) : path_(folder.empty() ? own_.path() : folder) {
  const std::string image = image_.path() + "/image";
  std::filesystem::create_directories(path_);
  const std::string make = "truncate -s 64M " + image + " && mkfs.ext4 -q " + image + " >/dev/null 2>&1";
  mounted_ = std::system(make.c_str()) == 0 && Mount();
}

FreezableDisk::~FreezableDisk() {
  if (!mounted_) return;
  Thaw();
  ::umount2(path_.c_str(), MNT_DETACH);
}

bool FreezableDisk::Mount() {
  const std::string command = "mount -o loop " + image_.path() + "/image " + path_ + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

bool FreezableDisk::Freeze() {
  frozen_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return ::ioctl(frozen_, FIFREEZE, 0) == 0;
}

void FreezableDisk::Thaw() {
  const int root = std::exchange(frozen_, -1);
  if (root < 0) return;
  ::ioctl(root, FITHAW, 0);
  ::close(root);
}

bool FreezableDisk::Detach() { return ::umount2(path_.c_str(), MNT_DETACH) == 0; }
bool FreezableDisk::Attach() { return Mount(); }

}  // namespace jobd::test
