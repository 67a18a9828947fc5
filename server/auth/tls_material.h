// Certificate, key and CA of the service: checked as a set before they are put in force.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/guarded.h"
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

// Checks that every certificate parses, the CA's are CAs, the key belongs to the certificate, and the certificate is valid at `now`
// and chains to the CA as a TLS server. gRPC takes a set that fails any of these and then refuses every client. kInvalidArgument
// says which file is at fault and why, for an administrator; no key material is in the text.
base::Result<TlsMaterial> CheckTlsFiles(TlsFiles files, base::Nanos now);

// The set in force, which can be replaced while connections live; each new handshake uses the newest. Thread-safe.
class TlsState {
 public:
  explicit TlsState(std::shared_ptr<const TlsMaterial> material);
  std::shared_ptr<const TlsMaterial> Current() const;
  // Puts `material`, which passed CheckTlsFiles, in force for handshakes from now on, and returns the set before it.
  std::shared_ptr<const TlsMaterial> Swap(std::shared_ptr<const TlsMaterial> material);
  // The set in force, or nothing when it is the one that was taken last. For the one transport that keeps a copy.
  std::shared_ptr<const TlsMaterial> TakeChanged();

 private:
  struct Sets {
    std::shared_ptr<const TlsMaterial> current;
    std::shared_ptr<const TlsMaterial> taken;
  };
  base::Guarded<Sets> sets_;
};

}  // namespace jobd::server
