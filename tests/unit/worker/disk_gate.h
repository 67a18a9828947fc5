// State disks that fail. A disk that hangs: while it is closed, every flush of this process waits, as on a frozen file system.
#pragma once

namespace jobd::test {

// One at a time. What hangs goes on when it ends.
class DiskGate {
 public:
  DiskGate();
  ~DiskGate();
  DiskGate(const DiskGate&) = delete;
  DiskGate& operator=(const DiskGate&) = delete;

  // Waits until somebody hangs.
  void WaitForOne();
  void Open();
};

// A state disk without room: while it lives, nothing can be written to the database's log.
class FullDisk {
 public:
  FullDisk();
  ~FullDisk() { Clear(); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  // There is room again.
  void Clear();
};

}  // namespace jobd::test
