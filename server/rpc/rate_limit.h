// Bounds how many log lines a second are written, whatever clients do.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::server {

// Thread-safe. `clock` outlives it.
class RateLimit {
 public:
  RateLimit(uint32_t per_second, const base::Clock& clock) : per_second_(per_second), clock_(clock) {}

  // When one more is allowed: how many were suppressed since the last that was allowed. Nothing: suppress this one too.
  std::optional<uint64_t> Allow() {
    const auto window = window_.Lock();
    const base::Nanos now = clock_.Monotonic();
    if (now - window->begin >= base::kNanosPerSecond) {
      window->begin = now;
      window->used = 0;
    }
    if (window->used >= per_second_) {
      ++window->suppressed;
      return std::nullopt;
    }
    ++window->used;
    return std::exchange(window->suppressed, 0);
  }

 private:
  struct Window {
    base::Nanos begin = 0;
    uint32_t used = 0;
    uint64_t suppressed = 0;
  };
  const uint32_t per_second_;
  const base::Clock& clock_;
  base::Guarded<Window> window_;
};

}  // namespace jobd::server
