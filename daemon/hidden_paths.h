// What jobs must not see or change: the service's directories and all that it trusts.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/options.h"
#include "daemon/service_dirs.h"

namespace jobd::daemon {

// As sandbox::IsolationOptions has them.
struct HiddenPaths {
  std::vector<std::string> hidden;
  std::vector<std::string> emptied;
  std::string home;
};

// By folder rather than by file, as a file may be replaced while we run: the configuration, what it names, and the folders they lie
// in, both where they are named and where links lead. A folder of the system (/etc, /usr/share, …) stays to be seen, and of it the
// file alone is hidden. Without privileges jobs run as we do, so the folders of keys and certificates show nothing at all, nor does
// the folder of our programs where they could replace one, and our home is not theirs to change.
HiddenPaths HiddenFromJobs(const Options& options, const config::Config& config, const ServiceDirs& dirs, bool privileged);

}  // namespace jobd::daemon
