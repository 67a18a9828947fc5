// From a client's certificate to a name.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "server/auth/certificate.h"

namespace jobd::server {

inline constexpr std::string_view kIdentityPrefix = "spiffe://jobd/user/";

// The name a certificate gives its holder. The TLS library has checked the chain and the holder's key; the rest is checked here, as
// gRPC does not: valid at `now` (a chain is checked only at the handshake, and connections live on), extended key usage clientAuth
// stated, key usage digitalSignature stated, not a CA, and exactly one URI, which is the prefix and a name for which
// base::IsSafeName holds, byte for byte: nothing is decoded, folded or trimmed. kUnauthenticated otherwise; the text names the
// defect and holds no byte of the certificate. Pure.
base::Result<std::string> IdentityOf(const Certificate& certificate, base::Nanos now);

}  // namespace jobd::server
