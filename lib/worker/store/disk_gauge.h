// The room on the state disk and the log disk, for everybody who asks: submissions, GetStatus, metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "worker/model/service_status.h"

namespace jobd::worker {

// Thread-safe. Measures at each call, on the thread that asks: what a submission is told is how the disks are now, and no thread
// that others wait for has to ask them.
class DiskGauge {
 public:
  // Both are borrowed and outlive the gauge.
  DiskGauge(int state_dir, int log_dir) : state_dir_(state_dir), log_dir_(log_dir) {}

  // A disk with fewer free bytes accepts nothing. Holds at once.
  void SetMinFreeBytes(uint64_t bytes) { min_free_bytes_.store(bytes); }
  uint64_t min_free_bytes() const { return min_free_bytes_.load(); }

  // "state" and "log", in this order.
  std::array<DiskStatus, 2> Measure() const;

 private:
  // What statvfs said of one directory; nothing when it failed.
  struct Reading {
    uint64_t free_bytes = 0;
    uint64_t total_bytes = 0;
    bool read_only = false;
    bool out_of_inodes = false;
  };
  static std::optional<Reading> Read(int dir);
  static DiskStatus StatusOf(std::string name, const std::optional<Reading>& reading, uint64_t min_free_bytes);

  const int state_dir_;
  const int log_dir_;
  std::atomic<uint64_t> min_free_bytes_{0};
};

// Free bytes of the disk that `dir` is on; 0 when that cannot be told.
uint64_t FreeBytes(int dir);

}  // namespace jobd::worker
