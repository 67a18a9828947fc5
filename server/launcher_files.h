// The service's files, by way of the launcher, which may open what we may not.
#pragma once

#include "base/result.h"
#include "server/file_set.h"

namespace jobd::worker {
class LauncherClient;
}

namespace jobd::server {

// Asks for the files and reads them to their ends, at most 16 MiB each. Blocks. Thread-safe.
base::Result<FileContents> ReadLauncherFiles(worker::LauncherClient& launcher);

}  // namespace jobd::server
