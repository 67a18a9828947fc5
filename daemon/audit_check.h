// `jobd --verify-audit [FILE…]`.
#pragma once

#include <string>

#include "config/config.h"
#include "daemon/options.h"

namespace jobd::daemon {

// Where the audit log and its anchors are. The anchors are beside state_dir, not in it: it belongs to the server's account, which
// could rename whatever lies in it.
std::string AuditPath(const config::Config& config);
std::string AnchorPath(const config::Config& config);

// Checks the files that are named, else the whole log of the configuration. Says on standard output what is anchored and what is
// not, or names the first line that is wrong. The answer is the exit status: 0 all is right, 1 something is not, 125 it could not
// be read.
int RunAuditCheck(const Options& options);

}  // namespace jobd::daemon
