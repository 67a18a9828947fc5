#include "base/token_signer.h"

#include <absl/strings/escaping.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/bounds.h"
#include "base/wire.h"

namespace jobd::base {
namespace {

constexpr size_t kMacBytes = 12;

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
  return absl::WebSafeBase64Escape(Mac(context, payload) + std::string(payload));
}

Result<std::string> TokenSigner::Verify(std::string_view context, std::string_view text, const std::string& field) const {
  std::string bytes;
  const bool decoded = text.size() <= kMaxCursorBytes && absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes);
  if (decoded && bytes.size() >= kMacBytes) {
    std::string payload = bytes.substr(kMacBytes);
    const std::string mac = Mac(context, payload);
    if (CRYPTO_memcmp(mac.data(), bytes.data(), kMacBytes) == 0) return payload;
  }
  return Error(Code::kInvalidArgument, field + ": is not one this service gave for this request")
      .WithViolations({{field, "is not one this service gave for this request"}});
}

}  // namespace jobd::base
