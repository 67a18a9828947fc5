// The way to a launcher that did not start us.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::server {

// Connects to the launcher's socket at `path`. Blocks until one listens there: who starts both need not start them in order.
// Errors: kPermissionDenied where the socket is another account's, kNotFound when there is no such directory.
base::Result<base::Fd> ConnectToLauncher(const std::string& path);

}  // namespace jobd::server
