// Sizes, durations and processor shares as people write them: "512M", "1h30m", "1.5".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::base {

// Bytes: a number with an optional K, M, G or T, each a power of 1024; "KiB", "Ki", "kb" and so on are the same. 0 .. kMaxAmount.
Result<uint64_t> ParseSize(std::string_view text);
// "1.5 GiB", for people.
std::string FormatSize(uint64_t bytes);

// "90", "90s", "1.5h", "1h30m", "250ms", "7d": seconds where no unit is given. 0 .. kMaxDuration.
Result<Nanos> ParseDuration(std::string_view text);
// The same where what is longer than the result is deleted: a number alone, which may be meant as days as well as seconds, is
// refused with what to write. 0 needs no unit.
Result<Nanos> ParseDurationWithUnit(std::string_view text);
// "1h30m", "2.5s", "12ms": to a few per cent, for a time that was measured.
std::string FormatDuration(Nanos duration);
// "1h30s", "1m30.5s", "250ms": all of it, for a time that somebody set. ParseDuration gives the same again. From 0.
std::string ExactDuration(Nanos duration);

// "2026-12-31 23:59 UTC", of seconds since 1970.
std::string FormatUtc(int64_t seconds);

// "1.5" is 1500 thousandths of a processor. 0.001 .. 4096.
Result<uint32_t> ParseCpus(std::string_view text);

}  // namespace jobd::base
