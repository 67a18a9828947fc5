// UUIDs of version 7 (RFC 9562): the correlation IDs of those who do not make their own.
#pragma once

#include <string>

#include "base/clock.h"

namespace jobd::base {

// "018f4e5a-…", 36 characters, ordered by `now` (wall clock) to the millisecond; the rest is random. Thread-safe.
std::string MakeUuid7(Nanos now);

}  // namespace jobd::base
