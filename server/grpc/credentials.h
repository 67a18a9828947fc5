// The service's side of mutual TLS for gRPC, replaceable while connections live.
#pragma once

#include <memory>
#include <mutex>

#include <grpcpp/security/server_credentials.h>

#include "server/auth/tls_material.h"
#include "server/grpc/gate.h"

namespace jobd::server {

// Holds the set in force; each new handshake uses the newest. gRPC asks for it through the certificate config fetcher of
// grpc_security.h, on its own threads and before each handshake, so a change needs no files, no refresh interval and no restart,
// and the key never is in a descriptor of this process. Thread-safe.
class TlsState {
 public:
  explicit TlsState(std::shared_ptr<const TlsMaterial> material);
  std::shared_ptr<const TlsMaterial> Current() const;
  // Puts `material`, which passed CheckTlsFiles, in force for handshakes from now on, and returns what was.
  std::shared_ptr<const TlsMaterial> Swap(std::shared_ptr<const TlsMaterial> material);

  // The newest set unless it is the one last taken.
  std::shared_ptr<const TlsMaterial> TakeChanged();

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsMaterial> current_;
  std::shared_ptr<const TlsMaterial> taken_;
};

// Credentials for one listener: a client certificate is demanded and verified against the CA, and each call passes `gate`. Both
// outlive every server that uses the result.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(TlsState& state, const Gate& gate);

}  // namespace jobd::server
