// `jobd --backup`, `--restore`, `--recover` and the server's part of `--check-config`: opens what is needed, and has jobd-server,
// which knows the database and certificates, do it as its own unprivileged account.
#pragma once

#include "base/result.h"
#include "daemon/configuration.h"
#include "daemon/options.h"
#include "daemon/service_dirs.h"

namespace jobd::daemon {

// Runs options.maintenance. jobd-server says what it did, or why it did not; its exit code is returned. Errors are those before it
// runs: kFailedPrecondition when a running jobd would have to be stopped first, or a backup's folder is not empty.
base::Result<int> RunMaintenance(const Options& options, const Configuration& configuration, const ServerAccount& account);

// Has jobd-server check the files as it does when it starts. What is wrong it says on standard output, what is to be seen to on
// standard error; its exit code is returned.
base::Result<int> RunServerCheck(const Options& options, const Configuration& configuration, const ServerAccount& account);

}  // namespace jobd::daemon
