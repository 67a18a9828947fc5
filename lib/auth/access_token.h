// What a caller carries after Login: "jobd_", 256 random bits as 43 digits of base 62, and the CRC-32 of those 48 characters as six
// more digits, most significant first, digits in the order 0-9 A-Z a-z. 54 characters, so that scanners of repositories and logs
// can tell a leaked one from any other word, and a mistyped one is refused without a look into the store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/sha256.h"

namespace jobd::auth {

inline constexpr std::string_view kTokenPrefix = "jobd_";
inline constexpr size_t kTokenChars = 54;

// A well-formed token. Its text is a secret: it belongs into no log, error or file but its owner's. Wiped when destroyed.
class AccessToken {
 public:
  // From the kernel's random numbers.
  static AccessToken Generate();
  // Exactly the text of a token, with nothing before or behind it. kUnauthenticated otherwise; the error does not quote the text.
  static base::Result<AccessToken> Parse(std::string_view text);

  AccessToken(AccessToken&&) = default;
  AccessToken& operator=(AccessToken&&) = default;
  ~AccessToken();

  const std::string& text() const { return text_; }
  // SHA-256 of the text: what is stored, and by which it is found. With 256 random bits no salt is needed, and how long a look-up
  // by it takes tells nothing of the text.
  base::Sha256Digest Digest() const { return base::Sha256Of(text_); }

 private:
  explicit AccessToken(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// In a time that does not depend on where they differ.
bool SameDigest(const base::Sha256Digest& a, const base::Sha256Digest& b);

}  // namespace jobd::auth
