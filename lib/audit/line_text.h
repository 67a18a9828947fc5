// The texts, numbers and times of a line, one way and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/sha256.h"

namespace jobd::audit {

// `"text"`, cut and escaped as FORMAT.md has it, onto the end of `line`.
void AppendText(std::string& line, std::string_view text);

// "2026-11-30T22:55:00.123456789Z"; for the years 1970 to 2262, which is all of base::Nanos from 0 on.
std::string TimeText(base::Nanos time);
bool ParseTimeText(std::string_view text, base::Nanos& time);

// Of 64 lower-case hexadecimal digits.
bool ParseDigest(std::string_view text, base::Sha256Digest& digest);

// Takes tokens off the front of a line. Each returns false when something else stands there, and then what is left is of no use.
class LineScanner {
 public:
  explicit LineScanner(std::string_view rest) : rest_(rest) {}

  bool Skip(std::string_view literal);
  // Decimal, from 1, no leading zero.
  bool Number(uint64_t& number);
  // `"…"` with the escapes that AppendText makes.
  bool Text(std::string& text);
  bool AtEnd() const { return rest_.empty(); }

 private:
  bool Escape(std::string& text);
  bool Unit(uint32_t& unit);

  std::string_view rest_;
};

}  // namespace jobd::audit
