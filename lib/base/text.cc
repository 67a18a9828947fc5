#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "base/bounds.h"

namespace jobd::base {

namespace {

// Decodes one code point at the front of text. Returns its length, or 0 when it is not well-formed (RFC 3629).
size_t Decode(std::string_view text, uint32_t& code_point) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    code_point = first;
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  code_point = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (code_point < kSmallest[length] || code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) return 0;
  return length;
}

// Controls, and the characters that change the direction or the visibility of what follows (Unicode TR 36).
bool IsHarmful(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c || (c >= 0xe0000 && c <= 0xe007f);
}

}  // namespace

std::string EscapeForTerminal(std::string_view bytes, bool keep_lines) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    uint32_t c = 0;
    const size_t length = Decode(bytes, c);
    std::array<char, 16> escaped;
    if (length == 0) {
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(bytes[0]));
      out += escaped.data();
      bytes.remove_prefix(1);
      continue;
    }
    if (IsHarmful(c) && !(keep_lines && (c == '\n' || c == '\t'))) {
      std::snprintf(escaped.data(), escaped.size(), c < 0x100 ? "\\x%02x" : "\\u{%x}", c);
      out += escaped.data();
    } else {
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return out;
}

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    uint32_t c = 0;
    const size_t length = Decode(bytes, c);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string Hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out += kDigits[static_cast<size_t>(b) >> 4];
    out += kDigits[static_cast<size_t>(b) & 15];
  }
  return out;
}

bool IsSafeName(std::string_view text) {
  if (text.empty() || text.size() > kMaxIdBytes) return false;
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  if (!word(text[0])) return false;
  for (const char c : text) {
    if (!word(c) && c != '.' && c != ':' && c != '-') return false;
  }
  return true;
}

}  // namespace jobd::base
