// The room on the state disk and the log disk, for everybody who asks: submissions, GetStatus, metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/guarded.h"
#include "worker/model/service_status.h"

namespace jobd::worker {

// Thread-safe. Measures on the thread that asks, and at most once in kMaxAge for all of them: statvfs per submission costs a
// measurable part of the submission. While one thread measures, others wait for it.
class DiskGauge {
 public:
  // How old an answer may be, by the monotonic clock.
  static constexpr base::Nanos kMaxAge = 50 * base::kNanosPerMilli;

  // All are borrowed and outlive the gauge.
  DiskGauge(int state_dir, int log_dir, const base::Clock& clock) : state_dir_(state_dir), log_dir_(log_dir), clock_(clock) {}

  // A disk with fewer free bytes accepts nothing. Holds at once, for what was measured already too.
  void SetMinFreeBytes(uint64_t bytes) { min_free_bytes_.store(bytes); }
  uint64_t min_free_bytes() const { return min_free_bytes_.load(); }

  // "state" and "log", in this order.
  std::array<DiskStatus, 2> Measure();

 private:
  // What statvfs said of one directory; nothing when it failed.
  struct Reading {
    uint64_t free_bytes = 0;
    uint64_t total_bytes = 0;
    bool read_only = false;
    bool out_of_inodes = false;
  };
  struct Readings {
    bool any = false;
    base::Nanos taken_at = 0;
    std::optional<Reading> state;
    std::optional<Reading> log;
  };
  static std::optional<Reading> Read(int dir);
  static DiskStatus StatusOf(std::string name, const std::optional<Reading>& reading, uint64_t min_free_bytes);

  const int state_dir_;
  const int log_dir_;
  const base::Clock& clock_;
  std::atomic<uint64_t> min_free_bytes_{0};
  base::Guarded<Readings> last_;
};

// Free bytes of the disk that `dir` is on; 0 when that cannot be told.
uint64_t FreeBytes(int dir);

}  // namespace jobd::worker
