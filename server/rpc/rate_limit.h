// So many log lines a second and no more, whatever clients do.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace jobd::server {

// Thread-safe.
class RateLimit {
 public:
  RateLimit(uint32_t per_second, const base::Clock& clock) : per_second_(per_second), clock_(clock) {}

  // How many were suppressed since the last one that was allowed; nothing when this one is suppressed too.
  std::optional<uint64_t> Allow() {
    const std::lock_guard lock(mutex_);
    const base::Nanos now = clock_.Monotonic();
    if (now - window_ >= base::kNanosPerSecond) {
      window_ = now;
      used_ = 0;
    }
    if (used_ >= per_second_) {
      ++suppressed_;
      return std::nullopt;
    }
    ++used_;
    return std::exchange(suppressed_, 0);
  }

 private:
  const uint32_t per_second_;
  const base::Clock& clock_;
  std::mutex mutex_;
  base::Nanos window_ = 0;
  uint32_t used_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace jobd::server
