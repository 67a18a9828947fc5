// Bounds how many log lines a second are written, whatever clients do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
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

// The same for each of many, by name, and for all together, so that one of them cannot keep what is said of the others out of the
// log. Of at most so many names at a time; what is beyond shares one. Thread-safe. `clock` outlives it.
class NamedRateLimit {
 public:
  NamedRateLimit(uint32_t per_second_each, uint32_t per_second, const base::Clock& clock)
      : per_second_each_(per_second_each), clock_(clock), all_(per_second, clock) {}

  // As RateLimit::Allow: how many of this name were suppressed.
  std::optional<uint64_t> Allow(const std::string& name) {
    const auto names = names_.Lock();
    const base::Nanos now = clock_.Monotonic();
    auto& windows = names->windows;
    // Looked through once a second, however many come.
    if (windows.size() >= kMostNames && now - names->looked >= base::kNanosPerSecond) {
      names->looked = now;
      std::erase_if(windows, [now](const auto& one) { return now - one.second.begin >= kForget; });
    }
    const bool full = windows.size() >= kMostNames && !windows.contains(name);
    Window& window = windows[full ? std::string() : name];
    if (window.used > 0 && now - window.begin >= base::kNanosPerSecond) window.used = 0;
    if (window.used == 0) window.begin = now;
    if (window.used >= per_second_each_ || !all_.Allow()) {
      ++window.suppressed;
      return std::nullopt;
    }
    ++window.used;
    return std::exchange(window.suppressed, 0);
  }

 private:
  static constexpr size_t kMostNames = 1024;
  static constexpr base::Nanos kForget = 60 * base::kNanosPerSecond;
  struct Window {
    base::Nanos begin = 0;
    uint32_t used = 0;
    uint64_t suppressed = 0;
  };
  const uint32_t per_second_each_;
  const base::Clock& clock_;
  RateLimit all_;
  struct Names {
    std::unordered_map<std::string, Window> windows;
    base::Nanos looked = 0;
  };
  base::Guarded<Names> names_;
};

}  // namespace jobd::server
