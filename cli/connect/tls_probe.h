// Finds out why jobd cannot be reached.
#pragma once

#include <string>

#include "base/clock.h"
#include "cli/connect/settings.h"

namespace jobd::cli {

struct ProbeResult {
  bool reached = false;  // the handshake worked; what failed is something else
  bool may_pass = true;  // a later attempt may succeed: nobody listens yet, or the network is down
  std::string reason;    // "Connection refused", "certificate verify failed: certificate has expired", …
};

inline constexpr base::Nanos kProbeBudget = 2 * base::kNanosPerSecond;

// Connects and shakes hands once more, by itself, since gRPC 1.51 does not tell why a handshake failed. Takes `budget` at most,
// twice that where jobd closes the connection, and hardly any time when the answer is clear.
ProbeResult ProbeServer(const Connection& connection, base::Nanos budget = kProbeBudget);

}  // namespace jobd::cli
