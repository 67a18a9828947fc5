// The certificate of a client with all that stand above it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/auth/certificate.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {

// What a client may send: its own certificate and those above it. Nobody's chain is as long; a longer one is made to be searched
// through.
inline constexpr size_t kMaxChainCertificates = 16;
inline constexpr size_t kMaxChainBytes = 32u << 10;  // of PEM

// The certificates of the file that clients are judged by: all of them, however many. Immutable, so any thread may use it.
class Authorities {
 public:
  // `pem` has passed CheckTlsFiles, or is empty.
  explicit Authorities(std::string pem);
  // Those of `other` and these.
  Authorities(const Authorities& other, const std::string& pem);
  const std::string& pem() const { return pem_; }
  const std::vector<X509Ptr>& all() const { return all_; }

 private:
  const std::string pem_;
  std::vector<X509Ptr> all_;
};

// The first certificate in `sent`, with each of the others in it and of `authorities` that issued it, or one that did, and so on:
// by name, usage and signature. None that TLS can have built its chain of is left out, so none of them can be hidden.
// kUnauthenticated when there is nothing, more than may be sent, or something that cannot be read; the text is for the client.
// Thread-safe.
base::Result<Certificate> ParseClientChain(std::string_view sent, const Authorities& authorities);

}  // namespace jobd::server
