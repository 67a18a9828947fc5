// Texts that clients carry for us: page tokens and log cursors. Opaque, and of no use when altered or taken elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::base {

// Thread-safe: holds only its key.
class TokenSigner {
 public:
  // `key`: 32 secret bytes, kept by the store so that what was given out stays valid over restarts.
  explicit TokenSigner(std::string key) : key_(std::move(key)) {}

  // base64url of payload and a 12-byte HMAC-SHA-256 over both; `context` names what the text is valid for and is not part of it.
  std::string Sign(std::string_view context, std::string_view payload) const;
  // The payload. kInvalidArgument, with a violation of `field`, when the text is not one of ours for this context.
  Result<std::string> Verify(std::string_view context, std::string_view text, const std::string& field) const;

 private:
  std::string Mac(std::string_view context, std::string_view payload) const;
  std::string key_;
};

}  // namespace jobd::base
