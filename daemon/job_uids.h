// The map of owners' uids (launch/launcher/owner_uids.h) where a service keeps it.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "daemon/service_dirs.h"
#include "launch/launcher/owner_uids.h"

namespace jobd::daemon {

// Opens it in these folders, which are borrowed and outlive it. kFailedPrecondition when there is none although there are logs of
// owners' jobs: files of theirs may be anywhere, and a map begun anew would give one owner the uid of another.
base::Result<launch::OwnerUids> OpenJobUids(const config::Config& config, const ServerAccount& account, int state_dir, int log_dir);

}  // namespace jobd::daemon
