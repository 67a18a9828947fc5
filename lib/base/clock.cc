#include "base/clock.h"

#include <ctime>

namespace jobd::base {

namespace {

Nanos Read(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<Nanos>(now.tv_sec) * kNanosPerSecond + now.tv_nsec;
}

}  // namespace

Nanos SystemClock::Realtime() const { return Read(CLOCK_REALTIME); }
Nanos SystemClock::Monotonic() const { return Read(CLOCK_MONOTONIC); }

}  // namespace jobd::base
