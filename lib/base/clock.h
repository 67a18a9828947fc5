// Time, behind an interface so that tests choose it. Points are nanoseconds.
#pragma once

#include <cstdint>

namespace jobd::base {

using Nanos = int64_t;
constexpr Nanos kNanosPerSecond = 1'000'000'000;
constexpr Nanos kNanosPerMilli = 1'000'000;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Since 1970, for showing; may jump.
  virtual Nanos Realtime() const = 0;
  // For measuring and for deadlines; never goes back, stands still while the machine is suspended.
  virtual Nanos Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  Nanos Realtime() const override;
  Nanos Monotonic() const override;
};

}  // namespace jobd::base
