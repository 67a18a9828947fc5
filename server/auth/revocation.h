// The list of revoked client certificates.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "server/auth/certificate.h"

namespace jobd::server {

// One entry a line: the SHA-256 fingerprint of a certificate (64 hex digits) or its serial number (up to 40 hex digits), in either
// case, with or without colons between bytes; `#` begins a comment. Immutable after Parse, so safe to read from any thread.
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
