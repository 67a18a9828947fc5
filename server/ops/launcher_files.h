// Reads the service's files through the launcher, which may open files that we may not.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "server/ops/file_set.h"

namespace jobd::worker {
class JobdConnection;
}

namespace jobd::server {

// A file as the launcher gives it.
struct GivenFile {
  std::string name;
  base::Fd fd;
};

// Reads them to their ends, at most 16 MiB each. A name that is not known is passed over.
base::Result<FileContents> ReadContents(std::vector<GivenFile> files);

// Asks for the files and reads them to their ends, at most 16 MiB each. Blocks. Thread-safe.
base::Result<FileContents> ReadLauncherFiles(worker::JobdConnection& jobd);

// As a reload takes them: jobd checks the files anew, and has them in force when their `commit` is OK. Blocks. Thread-safe; the
// connection outlives what is returned.
base::Result<FileContents> ReloadLauncherFiles(worker::JobdConnection& jobd);

// The socket on which metrics are to be served; none (an empty Fd) when that is not configured.
base::Result<base::Fd> MetricsSocket(worker::JobdConnection& jobd);

}  // namespace jobd::server
