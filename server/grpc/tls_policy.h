// The TLS policy of this process, which every context of it obeys.
#pragma once

#include "base/result.h"

namespace jobd::server {

// TLS 1.3 alone, and no session tickets: a resumed session would skip the check of the client's certificate. gRPC 1.51 has no call
// for either and overrides MinProtocol, but not a list of protocols switched off by OpenSSL's own configuration, which is set here
// from memory; the machine's openssl.cnf and OPENSSL_CONF are not read. Call it in main() before anything that touches gRPC or
// OpenSSL. SelfCheck proves that it took effect.
base::Status ApplyTlsPolicy();

}  // namespace jobd::server
