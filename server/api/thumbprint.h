// How a certificate's fingerprint is written where tokens are bound to it.
#pragma once

#include <string>
#include <string_view>

namespace jobd::server {

// "x5t#S256" of RFC 8705, base64url without padding, of a Certificate::fingerprint, which is hex.
inline std::string ThumbprintOf(std::string_view hex) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto value = [](char digit) { return static_cast<uint32_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10); };
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char digit : hex) {
    bits = bits << 4 | value(digit);
    for (count += 4; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  return text;
}

}  // namespace jobd::server
