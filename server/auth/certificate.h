// The fields of an X.509 certificate that decide who its holder is, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::server {

// Who has signed a certificate, by which lists of revoked ones name it.
struct Issuer {
  std::string fingerprint;  // as in Certificate
  std::string serial;
};

struct Certificate {
  std::vector<std::string> uris;  // URI subject alternative names, byte for byte, in order
  int64_t not_before = 0;         // seconds since 1970
  int64_t not_after = 0;
  bool is_ca = false;
  bool client_auth = false;        // an extended key usage is present and names clientAuth
  bool digital_signature = false;  // a key usage is present and names digitalSignature
  std::string fingerprint;         // SHA-256 of the DER, 64 lower-case hex digits
  std::string serial;              // lower-case hex without leading zeros; "0" for zero
  std::vector<Issuer> issuers;     // all certificates above it that are known: see ParseClientChain
};

// The first certificate in `pem`, alone: without issuers, whatever is behind it. kInvalidArgument when there is none or it cannot
// be read. Thread-safe.
base::Result<Certificate> ParseCertificate(std::string_view pem);

}  // namespace jobd::server
