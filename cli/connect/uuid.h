// Correlation IDs, made here so that a submission can be repeated without risk.
#pragma once

#include <string>

#include "base/clock.h"

namespace jobd::cli {

// A UUIDv7 (RFC 9562): sorts by time; 74 random bits from the kernel. `now` is nanoseconds since 1970.
std::string MakeUuidV7(base::Nanos now);

}  // namespace jobd::cli
