// The service's side of mutual TLS for gRPC, replaceable while connections live.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/auth/tls_material.h"
#include "server/grpc/connections/connection_guard.h"

namespace jobd::server {

// Credentials for one listener: a client certificate is demanded and verified against the CA, and `guard` is asked about each
// call before it comes to our code. Before each handshake gRPC asks for the set in force, through the certificate config fetcher of
// grpc_security.h and on its own threads; so a change needs no files, no refresh interval and no restart, and the key is never in a
// descriptor of this process. Both outlive every server that uses the result.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(TlsState& state, ConnectionGuard& guard);

}  // namespace jobd::server
