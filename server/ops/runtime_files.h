// What the running service leaves in the runtime directory for others to find it by.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::server {

// `server.pid`: our process ID. `dir` is borrowed.
base::Status WriteServerPid(int dir);

// `address`: host:port as bound, for clients of this machine; it exists only while a client can use it. Written as a whole or not.
base::Status WriteAddress(int dir, const std::string& address);
// Missing is fine.
void RemoveAddress(int dir);

// The lock on `server.lock` in the state directory, which the one server that uses the database holds; waits up to `timeout_ms` for
// a predecessor that is dying. kUnavailable when it is still held then.
base::Result<base::Fd> LockState(int dir, int timeout_ms);

}  // namespace jobd::server
