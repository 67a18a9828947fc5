#include "auth/access_token.h"

#include <sodium.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "auth/password.h"

namespace jobd::auth {

namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kSecretDigits = 43;  // 62^43 is just over 2^256
constexpr size_t kCrcDigits = 6;      // 62^6 is over 2^32
static_assert(kTokenPrefix.size() + kSecretDigits + kCrcDigits == kTokenChars);

using Secret = std::array<uint8_t, kSecretBytes>;  // big-endian

char DigitOf(uint32_t value) {
  return static_cast<char>(value < 10 ? '0' + value : value < 36 ? 'A' + (value - 10) : 'a' + (value - 36));
}

// -1 for no digit.
int ValueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'Z') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 36;
  return -1;
}

// IEEE 802.3, as zlib's crc32.
uint32_t Crc32(std::string_view text) {
  uint32_t crc = 0xffff'ffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb8'8320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

std::string SecretText(Secret secret) {
  std::string digits(kSecretDigits, '0');
  for (size_t i = kSecretDigits; i-- > 0;) {
    uint32_t rest = 0;
    for (uint8_t& byte : secret) {
      const uint32_t value = rest << 8 | byte;
      byte = static_cast<uint8_t>(value / 62);
      rest = value % 62;
    }
    digits[i] = DigitOf(rest);
  }
  return digits;
}

std::string CrcText(uint32_t crc) {
  std::string digits(kCrcDigits, '0');
  for (size_t i = kCrcDigits; i-- > 0; crc /= 62) digits[i] = DigitOf(crc % 62);
  return digits;
}

// Whether 43 characters are digits of a number below 2^256: there is one text for each secret.
bool IsSecret(std::string_view digits) {
  Secret secret{};
  bool fits = true;
  for (const char digit : digits) {
    const int value = ValueOf(digit);
    if (value < 0) return false;
    auto carry = static_cast<uint32_t>(value);
    for (size_t i = kSecretBytes; i-- > 0;) {
      carry += 62u * secret[i];
      secret[i] = static_cast<uint8_t>(carry);
      carry >>= 8;
    }
    fits = fits && carry == 0;
  }
  sodium_memzero(secret.data(), secret.size());
  return fits;
}

}  // namespace

AccessToken AccessToken::Generate() {
  if (sodium_init() < 0) std::abort();
  Secret secret;
  randombytes_buf(secret.data(), secret.size());
  std::string text;
  // At once, so that no shorter copy of it stays behind in the heap.
  text.reserve(kTokenChars);
  text += kTokenPrefix;
  std::string digits = SecretText(secret);
  text += digits;
  Wipe(digits);
  sodium_memzero(secret.data(), secret.size());
  text += CrcText(Crc32(text));
  return AccessToken(std::move(text));
}

base::Result<AccessToken> AccessToken::Parse(std::string_view text) {
  const base::Error wrong(base::Code::kUnauthenticated, "this is not a token of jobd");
  if (text.size() != kTokenChars || !text.starts_with(kTokenPrefix)) return wrong;
  const std::string_view body = text.substr(0, kTokenChars - kCrcDigits);
  if (!IsSecret(body.substr(kTokenPrefix.size()))) return wrong;
  const std::string crc = CrcText(Crc32(body));
  if (sodium_memcmp(crc.data(), text.data() + body.size(), kCrcDigits) != 0) return wrong;
  return AccessToken(std::string(text));
}

AccessToken::~AccessToken() { Wipe(text_); }

bool SameDigest(const base::Sha256Digest& a, const base::Sha256Digest& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace jobd::auth
