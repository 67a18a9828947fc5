// Runs `jobd --backup`, `--restore` and `--recover`. The launcher starts jobd-server for them, because this program alone knows the
// database.
#pragma once

#include "server/options.h"

namespace jobd::server {

// Does what options.task says, and reports on standard output. Returns the exit code. The files to work on come over the launcher's
// socket, as one HelloAck with descriptors of these names: "state" and "log", the directories; for a backup "backup", the empty
// folder it goes to; for a restoration "database" and "mark", the two files of a backup.
int RunMaintenance(const Options& options);

}  // namespace jobd::server
