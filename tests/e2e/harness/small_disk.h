// A disk of a test's own, small enough to be used up.
#pragma once

#include <string>

namespace jobd::e2e {

// A tmpfs mounted on a folder, which is made if need be. Unmounted when destroyed, at the latest when nobody uses it any more.
class SmallDisk {
 public:
  // False with why where nothing can be mounted.
  static bool Possible(std::string& why);
  // `options` as of mount(8): "size=16m,nr_inodes=200".
  SmallDisk(std::string folder, const std::string& options);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Leaves no byte free, or no inode.
  void TakeSpace() const;
  void TakeInodes() const;
  // Undoes both.
  void GiveBack() const;
  // Fails the test while somebody holds a file open for writing.
  void SetReadOnly(bool on) const;

 private:
  std::string folder_;
  std::string options_;
};

}  // namespace jobd::e2e
