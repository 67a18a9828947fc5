// Certificate, key and authorities of the service: checked as a set before they are put in force.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"

namespace jobd::server {

struct TlsFiles {
  std::string ca;         // PEM, as read; the authority that clients know the service by. Empty: not given
  std::string client_ca;  // that clients' certificates are judged by; empty: `ca`
  std::string cert;
  std::string key;
  bool operator==(const TlsFiles&) const = default;
};

// The authority that clients' certificates are judged by.
inline const std::string& ClientCaOf(const TlsFiles& files) { return files.client_ca.empty() ? files.ca : files.client_ca; }

// When a certificate ends, for people to be told in time.
struct TlsEnd {
  std::string what;       // "tls.cert", "the authority CN=… in tls.client_ca"
  int64_t not_after = 0;  // seconds since 1970
  bool operator==(const TlsEnd&) const = default;
};

// A set that passed CheckTlsFiles.
struct TlsMaterial {
  TlsFiles pem;
  std::string fingerprint;         // of the service's own certificate
  int64_t not_after = 0;           // the same's; seconds since 1970
  std::vector<std::string> names;  // that it is for: DNS names in lower case, addresses in numbers
  std::string broken_chain;        // why tls.cert does not chain to tls.ca; empty: it does, or no `ca` was given
  bool is_client = false;          // clients' authority has signed it, for a client: it could call itself
  std::vector<TlsEnd> ends;        // of it, those behind it, and the authorities
};

// Checks that every certificate parses, the authorities are such and not all of them over, the key belongs to the certificate,
// and the certificate is a server's and valid at `now`. Where `client_ca` is given beside `ca`, it must also chain to `ca`; else
// another authority may have signed it than the clients'. gRPC takes a set that fails any of these and then refuses every client.
// kInvalidArgument says which file is at fault and why, for an administrator; no key material is in the text.
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
