// Points in time as people write and read them. Nanoseconds since 1970.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::cli {

// "2026-01-02T15:04:05.123456789Z": RFC 3339 in UTC, nanoseconds always.
std::string Rfc3339(int64_t time);
// "2026-01-02T15:04:05.123456+01:00": RFC 3339 in the local time zone, microseconds always.
std::string Rfc3339Local(int64_t time);
// "2026-01-02 15:04:05" in the local time zone.
std::string AbsoluteTime(int64_t time);
// "2m ago"; "just now" within a second, also for a time that another machine's clock puts into the future.
std::string RelativeTime(int64_t time, int64_t now);

// "2026-01-02T15:04:05.5Z", "2026-01-02 15:04[:05]" and "2026-01-02" (local), "15:04" (today, local), "now", "today" and
// "yesterday" (their beginnings), "@1700000000" or a bare number (seconds since 1970, with or without fraction), or how long ago,
// with its unit: "10m", "-90s". Without a zone it is local time.
base::Result<int64_t> ParseTime(std::string_view text, int64_t now);

}  // namespace jobd::cli
