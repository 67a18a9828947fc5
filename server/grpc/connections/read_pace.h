// When a connection is read from again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace jobd::server {

// gRPC 1.51 has few threads (two on a small machine), and one that has begun to read from a connection stays with it for as long as
// there is something to read: two clients that send small frames without end have all of them, and nobody else is served. So a
// connection that takes more than its part of the time has its next read put off, which gives the thread back. What it sends
// waits with it, in TCP's window.
//
// A connection's part is half of one processor, and divided by those that are put off at the moment: together they never have more.
//
// Not thread-safe: gRPC looks at what a connection has sent on one thread at a time.
class ReadPace {
 public:
  // What may be taken in one go.
  static constexpr base::Nanos kInOneGo = 2 * base::kNanosPerMilli;
  static constexpr base::Nanos kLongest = 250 * base::kNanosPerMilli;

  // It took so long to look at what had been read.
  void OnTaken(base::Nanos time) { taken_ += time; }

  // How long the next read is to wait at `now`, while so many others wait; 0: not at all.
  base::Nanos Wait(base::Nanos now, uint32_t waiting) {
    const base::Nanos part = 2 * (base::Nanos{waiting} + 1);
    taken_ = std::max<base::Nanos>(0, taken_ - (now - since_) / part);
    since_ = now;
    return taken_ <= kInOneGo ? 0 : std::min(kLongest, taken_ * part);
  }

 private:
  base::Nanos taken_ = 0;
  base::Nanos since_ = 0;
};

}  // namespace jobd::server
