// Keeps lines that somebody else can bring about at will from filling the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace jobd::launch {

// Some lines a minute; of those beyond, the next that passes says how many there were. Not thread-safe.
class LineLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::minutes kSpan{1};

  explicit LineLimit(uint32_t lines) : lines_(lines) {}

  // The line to write: `text`, perhaps with a count behind it; none: it is left out.
  std::optional<std::string> Pass(std::string text, Time now) {
    if (now >= until_) {
      until_ = now + kSpan;
      passed_ = 0;
    }
    if (passed_ >= lines_) {
      ++left_out_;
      return std::nullopt;
    }
    ++passed_;
    if (left_out_ == 0) return text;
    text += " (and " + std::to_string(left_out_) + " more like this before it)";
    left_out_ = 0;
    return text;
  }

 private:
  const uint32_t lines_;
  Time until_{};
  uint32_t passed_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace jobd::launch
