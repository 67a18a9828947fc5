#include "base/units.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "base/bounds.h"

namespace jobd::base {

namespace {

Error Bad(std::string_view what, std::string_view text, std::string_view example) {
  return {Code::kInvalidArgument,
          "'" + std::string(text) + "' is not a " + std::string(what) + " (as in " + std::string(example) + ")"};
}

// Takes a non-negative decimal number off the front of text.
bool TakeNumber(std::string_view& text, double& value) {
  if (text.empty() || (std::isdigit(static_cast<unsigned char>(text[0])) == 0 && text[0] != '.')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

std::string Lower(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

constexpr Nanos kMinute = 60 * kNanosPerSecond;
constexpr Nanos kHour = 60 * kMinute;

struct Unit {
  std::string_view name;
  Nanos nanos;
};
constexpr std::array<Unit, 10> kUnits{{{"ns", 1},
                                       {"us", 1000},
                                       {"ms", kNanosPerMilli},
                                       {"s", kNanosPerSecond},
                                       {"sec", kNanosPerSecond},
                                       {"m", kMinute},
                                       {"min", kMinute},
                                       {"h", kHour},
                                       {"d", kNanosPerDay},
                                       {"w", 7 * kNanosPerDay}}};

std::string Trimmed(double value, const char* unit) {
  std::array<char, 48> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.1f", value);
  std::string text = buffer.data();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + unit;
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  constexpr std::string_view kExample = "4096, 512M or 1.5G";
  std::string_view rest = text;
  double value = 0;
  if (!TakeNumber(rest, value)) return Bad("size", text, kExample);
  std::string unit = Lower(rest);
  if (unit.ends_with("ib")) {
    unit.resize(unit.size() - 2);
  } else if (unit.ends_with("b")) {
    unit.resize(unit.size() - 1);
  } else if (unit.size() == 2 && unit.ends_with("i")) {  // "64Mi", as Kubernetes has it
    unit.resize(1);
  }
  constexpr std::string_view kPrefixes = "kmgt";
  if (unit.size() > 1) return Bad("size", text, kExample);
  if (unit.size() == 1) {
    const size_t power = kPrefixes.find(unit[0]);
    if (power == std::string_view::npos) return Bad("size", text, kExample);
    value *= std::pow(1024.0, static_cast<double>(power + 1));
  }
  if (!(value < static_cast<double>(kMaxAmount))) return Bad("size", text, kExample);
  return static_cast<uint64_t>(value);
}

std::string FormatSize(uint64_t bytes) {
  constexpr std::array<const char*, 7> kNames{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return Trimmed(value, kNames[unit]);
}

Result<Nanos> ParseDuration(std::string_view text) {
  constexpr std::string_view kExample = "90, 250ms, 10m or 1h30m";
  std::string_view rest = text;
  Nanos sum = 0;
  if (rest.empty()) return Bad("duration", text, kExample);
  while (!rest.empty()) {
    double value = 0;
    if (!TakeNumber(rest, value)) return Bad("duration", text, kExample);
    size_t length = 0;
    while (length < rest.size() && std::isalpha(static_cast<unsigned char>(rest[length])) != 0) ++length;
    const std::string name = length == 0 ? "s" : Lower(rest.substr(0, length));
    if (length == 0 && !rest.empty()) return Bad("duration", text, kExample);
    rest.remove_prefix(length);
    const Unit* found = nullptr;
    for (const Unit& unit : kUnits) {
      if (unit.name == name) found = &unit;
    }
    if (found == nullptr) return Bad("duration", text, kExample);
    // Each part by itself: a double holds any of them exactly, but not their sum.
    const double nanos = value * static_cast<double>(found->nanos);
    if (!(nanos <= static_cast<double>(kMaxDuration))) return Bad("duration", text, kExample);
    sum += std::llround(nanos);
    if (sum > kMaxDuration) return Bad("duration", text, kExample);
  }
  return sum;
}

Result<Nanos> ParseDurationWithUnit(std::string_view text) {
  JOBD_ASSIGN_OR_RETURN(const Nanos duration, ParseDuration(text));
  const bool has_unit = std::isalpha(static_cast<unsigned char>(text.back())) != 0;
  if (has_unit || duration == 0) return duration;
  const std::string number(text);
  return Error(Code::kInvalidArgument, "'" + number + "' needs a unit, as what is older is deleted: " + number + "d for days, " +
                                           number + "h for hours, " + number + "s for seconds");
}

std::string FormatDuration(Nanos duration) {
  const double seconds = static_cast<double>(duration) / 1e9;
  if (seconds < 0) return "0s";
  if (seconds < 1) return Trimmed(seconds * 1e3, "ms");
  if (seconds < 60) return Trimmed(seconds, "s");
  const auto whole = static_cast<int64_t>(seconds);
  std::string text;
  if (whole >= 86400) text += std::to_string(whole / 86400) + "d";
  if (whole % 86400 >= 3600) text += std::to_string(whole % 86400 / 3600) + "h";
  if (whole % 3600 >= 60) text += std::to_string(whole % 3600 / 60) + "m";
  if (whole < 3600 && whole % 60 != 0) text += std::to_string(whole % 60) + "s";
  return text;
}

std::string ExactDuration(Nanos duration) {
  std::string text;
  // The fraction in units of `digits` decimal places, without trailing zeros.
  const auto add = [&text](Nanos whole, Nanos fraction, size_t digits, const char* unit) {
    text += std::to_string(whole);
    if (fraction != 0) {
      std::string places = std::to_string(fraction);
      places.insert(0, digits - places.size(), '0');
      text += "." + places.substr(0, places.find_last_not_of('0') + 1);
    }
    text += unit;
  };
  if (duration > 0 && duration < kNanosPerSecond) {
    add(duration / kNanosPerMilli, duration % kNanosPerMilli, 6, "ms");
    return text;
  }
  for (const auto& [name, nanos] : {Unit{"d", kNanosPerDay}, Unit{"h", kHour}, Unit{"m", kMinute}}) {
    if (duration >= nanos) text += std::to_string(duration / nanos) + std::string(name);
    duration %= nanos;
  }
  if (duration > 0 || text.empty()) add(duration / kNanosPerSecond, duration % kNanosPerSecond, 9, "s");
  return text;
}

Result<uint32_t> ParseCpus(std::string_view text) {
  std::string_view rest = text;
  double value = 0;
  if (!TakeNumber(rest, value) || !rest.empty() || value < 0.001 || value * 1000 > kMaxCpuMillis) {
    return Bad("number of processors", text, "1.5");
  }
  return static_cast<uint32_t>(std::lround(value * 1000));
}

std::string FormatUtc(int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  std::tm parts{};
  std::array<char, 64> text{};
  if (::gmtime_r(&time, &parts) == nullptr) return "?";
  return std::string(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts));
}

}  // namespace jobd::base
