#include "cli/view/time_text.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/clock.h"
#include "base/units.h"

namespace jobd::cli {

namespace {

using base::kNanosPerSecond;

base::Error Bad(std::string_view text) {
  return {base::Code::kInvalidArgument,
          "'" + std::string(text) + "' is not a time (as in 2026-01-02T15:04:05Z, '2026-01-02 15:04', yesterday, or 10m for ago)"};
}

int64_t FloorSeconds(int64_t time) { return time / kNanosPerSecond - (time % kNanosPerSecond < 0 ? 1 : 0); }

// Takes exactly `digits` digits off the front.
bool TakeDigits(std::string_view& text, size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// ".123" as nanoseconds; digits beyond the ninth are cut off.
bool TakeFraction(std::string_view& text, int64_t& nanos) {
  nanos = 0;
  if (!Take(text, '.')) return true;
  int64_t unit = kNanosPerSecond / 10;
  size_t digits = 0;
  for (; !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0; ++digits, unit /= 10) {
    nanos += unit * (text[0] - '0');
    text.remove_prefix(1);
  }
  return digits > 0;
}

// "Z" or "+01:00" as seconds east; false in `given` when there is no zone.
bool TakeZone(std::string_view& text, bool& given, int& east) {
  given = true;
  east = 0;
  if (Take(text, 'Z') || Take(text, 'z')) return true;
  if (text.empty()) {
    given = false;
    return true;
  }
  const int sign = text[0] == '-' ? -1 : 1;
  if (!Take(text, '+') && !Take(text, '-')) return false;
  int hours = 0;
  int minutes = 0;
  if (!TakeDigits(text, 2, hours) || !(Take(text, ':'), TakeDigits(text, 2, minutes)) || hours > 23 || minutes > 59) return false;
  east = sign * (hours * 3600 + minutes * 60);
  return true;
}

// "15:04[:05[.5]]".
bool TakeClock(std::string_view& text, tm& fields, int64_t& nanos) {
  nanos = 0;
  if (!TakeDigits(text, 2, fields.tm_hour) || !Take(text, ':') || !TakeDigits(text, 2, fields.tm_min)) return false;
  if (Take(text, ':') && (!TakeDigits(text, 2, fields.tm_sec) || !TakeFraction(text, nanos))) return false;
  return fields.tm_hour <= 23 && fields.tm_min <= 59 && fields.tm_sec <= 60;
}

base::Result<int64_t> ParseDate(std::string_view text, std::string_view whole) {
  tm fields{};
  fields.tm_isdst = -1;
  if (!TakeDigits(text, 4, fields.tm_year) || !Take(text, '-') || !TakeDigits(text, 2, fields.tm_mon) || !Take(text, '-') ||
      !TakeDigits(text, 2, fields.tm_mday) || fields.tm_mon < 1 || fields.tm_mon > 12 || fields.tm_mday < 1 ||
      fields.tm_mday > 31) {
    return Bad(whole);
  }
  fields.tm_year -= 1900;
  fields.tm_mon -= 1;
  int64_t nanos = 0;
  bool zone_given = false;
  int east = 0;
  if (!text.empty()) {
    if (!Take(text, 'T') && !Take(text, 't') && !Take(text, ' ')) return Bad(whole);
    if (!TakeClock(text, fields, nanos) || !TakeZone(text, zone_given, east) || !text.empty()) return Bad(whole);
  }
  const int day = fields.tm_mday;
  const time_t seconds = zone_given ? ::timegm(&fields) - east : std::mktime(&fields);
  // The C library turns 31 February into a day of March; that was not meant. Nanoseconds in 64 bits end in 2262.
  constexpr int64_t kLastSecond = INT64_MAX / kNanosPerSecond - 1;
  if (fields.tm_mday != day || seconds > kLastSecond || seconds < -kLastSecond) return Bad(whole);
  return static_cast<int64_t>(seconds) * kNanosPerSecond + nanos;
}

// "1700000000.25".
base::Result<int64_t> ParseSeconds(std::string_view text, std::string_view whole) {
  int64_t seconds = 0;
  int64_t nanos = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds < 0 || seconds > INT64_MAX / kNanosPerSecond - 1) return Bad(whole);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (!TakeFraction(text, nanos) || !text.empty()) return Bad(whole);
  return seconds * kNanosPerSecond + nanos;
}

int64_t BeginningOfDay(int64_t now, int days_before) {
  const time_t seconds = FloorSeconds(now);
  tm fields{};
  ::localtime_r(&seconds, &fields);
  fields.tm_hour = fields.tm_min = fields.tm_sec = 0;
  fields.tm_mday -= days_before;
  fields.tm_isdst = -1;
  return static_cast<int64_t>(std::mktime(&fields)) * kNanosPerSecond;
}

// As strftime(3) has it; at most 31 bytes.
std::string DateAndTime(const tm& fields, const char* format) {
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), format, &fields);
  return text.data();
}

}  // namespace

std::string Rfc3339(int64_t time) {
  const time_t seconds = FloorSeconds(time);
  tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%09dZ", static_cast<int>(time - seconds * kNanosPerSecond));
  return DateAndTime(fields, "%Y-%m-%dT%H:%M:%S") + fraction.data();
}

std::string Rfc3339Local(int64_t time) {
  const time_t seconds = FloorSeconds(time);
  tm fields{};
  ::localtime_r(&seconds, &fields);
  const long east = fields.tm_gmtoff / 60;
  std::array<char, 24> rest{};
  std::snprintf(rest.data(), rest.size(), ".%06d%c%02d:%02d", static_cast<int>((time - seconds * kNanosPerSecond) / 1000),
                east < 0 ? '-' : '+', static_cast<int>(std::labs(east) / 60 % 100), static_cast<int>(std::labs(east) % 60));
  return DateAndTime(fields, "%Y-%m-%dT%H:%M:%S") + rest.data();
}

std::string AbsoluteTime(int64_t time) {
  const time_t seconds = FloorSeconds(time);
  tm fields{};
  ::localtime_r(&seconds, &fields);
  return DateAndTime(fields, "%Y-%m-%d %H:%M:%S");
}

std::string RelativeTime(int64_t time, int64_t now) {
  int64_t age = 0;
  if (__builtin_sub_overflow(now, time, &age)) age = time > now ? 0 : INT64_MAX;
  const int64_t seconds = age / kNanosPerSecond;
  if (seconds < 1) return "just now";
  if (seconds < 120) return std::to_string(seconds) + "s ago";
  if (seconds < 2 * 3600) return std::to_string(seconds / 60) + "m ago";
  if (seconds < 2 * 86400) return std::to_string(seconds / 3600) + "h ago";
  return std::to_string(seconds / 86400) + "d ago";
}

base::Result<int64_t> ParseTime(std::string_view text, int64_t now) {
  if (text.size() >= 10 && text[4] == '-') return ParseDate(text, text);
  if (text == "now") return now;
  if (text == "today") return BeginningOfDay(now, 0);
  if (text == "yesterday") return BeginningOfDay(now, 1);
  // As `date +%s` prints it, whatever its size: how long ago has a unit.
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  if (text.starts_with('@') || is_number) return ParseSeconds(text.substr(is_number ? 0 : 1), text);
  if (text.find(':') != std::string_view::npos) {
    const time_t seconds = FloorSeconds(now);
    tm fields{};
    ::localtime_r(&seconds, &fields);
    fields.tm_sec = 0;
    fields.tm_isdst = -1;
    int64_t nanos = 0;
    std::string_view rest = text;
    if (!TakeClock(rest, fields, nanos) || !rest.empty()) return Bad(text);
    return static_cast<int64_t>(std::mktime(&fields)) * kNanosPerSecond + nanos;
  }
  const auto ago = base::ParseDuration(text.starts_with('-') ? text.substr(1) : text);
  if (!ago.ok()) return Bad(text);
  return now - *ago;
}

}  // namespace jobd::cli
