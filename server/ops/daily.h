// Once a day, by the wall clock, for what is to be said again and again.
#pragma once

#include <optional>

#include "base/clock.h"

namespace jobd::server {

class Daily {
 public:
  // At first, and then a day after it last was. A clock that was set back does not silence it.
  bool IsDue(base::Nanos now) {
    constexpr base::Nanos kDay = 24 * 3600 * base::kNanosPerSecond;
    if (last_ && now >= *last_ && now - *last_ < kDay) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<base::Nanos> last_;
};

}  // namespace jobd::server
