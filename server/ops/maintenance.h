// What jobd-server does for `jobd --backup`, `--restore` and `--recover` instead of serving: it is the one that knows the database.
#pragma once

#include "server/options.h"

namespace jobd::server {

// Does what options.task says, and tells it on standard output. Returns the exit code. What it works on comes over the launcher's
// socket, as one HelloAck with descriptors of these names: "state" and "log", the directories; for a backup "backup", the empty
// folder it goes to; for a restoration "database" and "mark", the two files of a backup.
int RunMaintenance(const Options& options);

}  // namespace jobd::server
