#include "base/token_signer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdint>
#include <optional>

#include "base/bounds.h"
#include "base/wire.h"

namespace jobd::base {
namespace {

constexpr size_t kMacBytes = 12;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToBase64Url(std::string_view bytes) {
  std::string text;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text.push_back(kAlphabet[(bits >> (count - 6)) & 0x3f]);
  }
  if (count > 0) text.push_back(kAlphabet[(bits << (6 - count)) & 0x3f]);
  return text;
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>((bits >> count) & 0xff));
    }
  }
  return bytes;
}

}  // namespace

std::string TokenSigner::Mac(std::string_view context, std::string_view payload) const {
  WireWriter message;
  message.Text(context);
  message.Text(payload);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(message.bytes().data()),
       message.bytes().size(), mac.data(), &size);
  return std::string(reinterpret_cast<const char*>(mac.data()), kMacBytes);
}

std::string TokenSigner::Sign(std::string_view context, std::string_view payload) const {
  return ToBase64Url(Mac(context, payload) + std::string(payload));
}

Result<std::string> TokenSigner::Verify(std::string_view context, std::string_view text, const std::string& field) const {
  const auto bytes = text.size() > kMaxCursorBytes ? std::nullopt : FromBase64Url(text);
  if (bytes && bytes->size() >= kMacBytes) {
    std::string payload = bytes->substr(kMacBytes);
    const std::string mac = Mac(context, payload);
    if (CRYPTO_memcmp(mac.data(), bytes->data(), kMacBytes) == 0) return payload;
  }
  return Error(Code::kInvalidArgument, field + ": is not one this service gave for this request")
      .WithViolations({{field, "is not one this service gave for this request"}});
}

}  // namespace jobd::base
