// A disk of a test's own that can stop answering, as one that hangs.
#pragma once

#include <string>

#include "tests/support/temp_dir.h"

namespace jobd::test {

// An ext4 file system on a loop device, mounted at `folder`, which is made if need be; without one at a folder of its own. Thawed
// and unmounted when destroyed.
class FreezableDisk {
 public:
  explicit FreezableDisk(const std::string& folder = "");
  ~FreezableDisk();
  FreezableDisk(const FreezableDisk&) = delete;
  FreezableDisk& operator=(const FreezableDisk&) = delete;

  // False where none can be had.
  bool mounted() const { return mounted_; }
  const std::string& path() const { return path_; }
  // Whoever writes waits, in the kernel, for the thaw.
  bool Freeze();
  void Thaw();
  // Takes it from its folder; what is open stays so. And puts it there again.
  bool Detach();
  bool Attach();

 private:
  bool Mount();

  TempDir image_;
  TempDir own_;
  std::string path_;
  bool mounted_ = false;
  int frozen_ = -1;  // the file system's root, open, while it is
};

}  // namespace jobd::test
