// Certificate, key and CA of the service: checked as a set before they are put in force.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::server {

struct TlsFiles {
  std::string ca;  // PEM, as read
  std::string cert;
  std::string key;
};

// A set that passed CheckTlsFiles.
struct TlsMaterial {
  TlsFiles pem;
  std::string fingerprint;  // of the service's own certificate
  int64_t not_after = 0;    // seconds since 1970
};

// Every certificate parses, the CA's are CAs, the key is the certificate's, the certificate is valid at `now` and chains to the CA
// as a TLS server. gRPC takes a set that fails any of these and then refuses every client. kInvalidArgument says which file is at
// fault and why, for an administrator; no key material is in the text.
base::Result<TlsMaterial> CheckTlsFiles(TlsFiles files, base::Nanos now);

}  // namespace jobd::server
