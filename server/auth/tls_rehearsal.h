// A handshake with certificates before anything uses them.
#pragma once

#include "base/result.h"
#include "server/auth/tls_material.h"

namespace jobd::server {

// In memory, between OpenSSL and itself, over TLS 1.3: what the library does not take (a key that is too small, a kind of key that
// TLS 1.3 has no signature for) is found here and not when the first client comes. kInvalidArgument, for administrators.
base::Status RehearseHandshake(const TlsFiles& files);

}  // namespace jobd::server
