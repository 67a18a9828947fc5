// Sets OpenSSL up, for gRPC and for jobctl itself.
#pragma once

#include <string>

#include "base/result.h"

namespace jobd::cli {

// Allows TLS 1.3 only and keeps the machine's OpenSSL configuration out, which could loosen that. gRPC 1.51 has no public call for
// it, but its contexts take the system defaults of OpenSSL's configuration. Call before the first use of OpenSSL or gRPC.
base::Status RestrictToTls13();

// The errors that OpenSSL has queued on this thread, as one line; empties the queue.
std::string TakeOpenSslErrors();

}  // namespace jobd::cli
