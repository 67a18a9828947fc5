// The list of revoked client certificates.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "server/auth/certificate.h"

namespace jobd::server {

// One entry a line: the SHA-256 fingerprint of a certificate (64 hex digits) or its serial number in hex (up to 40 digits), in
// either case, with or without colons between bytes; `#` begins a comment. A serial of decimal digits alone may be meant as
// decimal, as some tools print it, and would be another certificate's in hex: it is refused unless "0x", a zero or colons show that
// it is hex. The entry of an intermediate revokes all that it has issued. Immutable after Parse, so safe to read from any thread.
class RevocationList {
 public:
  // An empty list.
  RevocationList() = default;
  // kInvalidArgument "FILE:LINE: what is wrong": a list that cannot be read in full must not be put in force in part.
  static base::Result<RevocationList> Parse(const std::string& file_name, std::string_view text);

  bool Contains(const Certificate& certificate) const;
  size_t size() const { return fingerprints_.size() + serials_.size(); }

 private:
  std::unordered_set<std::string> fingerprints_;
  std::unordered_set<std::string> serials_;
};

}  // namespace jobd::server
