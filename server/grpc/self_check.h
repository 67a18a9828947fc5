// The service looks at itself from outside, because gRPC reports success with credentials nobody can use.
#pragma once

#include <string>

#include "base/result.h"
#include "server/auth/tls_material.h"

namespace jobd::server {

// A client's handshake with our own address, with the service's own certificate as the client's (the service has no client key of
// its own, and needs none). OK when TLS 1.3 and "h2" were agreed, the certificate shown is `material`'s and proved with its key, a
// client certificate was demanded, and ours was judged: accepted, or, where it is no client's (TlsMaterial::is_client), refused,
// after the service's own part had succeeded. Blocks for at most some seconds.
base::Status CheckHandshake(const std::string& address, const TlsMaterial& material);

// Checks that a client without a certificate is refused, and TLS 1.2 too. Together with CheckHandshake, the proof that
// ApplyTlsPolicy and the credentials took effect.
base::Status CheckRefusals(const std::string& address, const TlsMaterial& material);

}  // namespace jobd::server
