// The directories of the service and the account of its server.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "launch/process/file_owner.h"

namespace jobd::daemon {

// The account of jobd-server; absent: our own, as we are not root.
struct ServerAccount {
  std::string name;
  std::optional<uid_t> uid;
  gid_t gid = 0;
};

// [server] user, or nobody when there is no such account, if we are root.
base::Result<ServerAccount> FindServerAccount(const config::Config& config);

struct ServiceDirs {
  std::vector<base::Fd> locks;  // on the three; keep a second jobd away. Never passed on: they are to end with this process
  base::Fd state;
  base::Fd log;
  base::Fd runtime;         // holds our pid file
  launch::FileOwner owner;  // we write in them as the server's account: root must not be made to do more there than the server can
};

// Judges those of the three directories that are there (service_folder.h), as a start would, and changes nothing. Not whether
// another jobd has them: it may be the one whose configuration is checked.
base::Status CheckDirs(const config::Config& config, const ServerAccount& account);

// Makes the directories, locks them, judges them, and only then changes anything: gives them to the server's account (state and log
// 0700, so that nobody else reads them; runtime 0755), marks them as ours and writes the pid file. kFailedPrecondition when another
// jobd has one of them, or it is somebody else's.
base::Result<ServiceDirs> PrepareDirs(const config::Config& config, const ServerAccount& account);

// The socket of [metrics] listen, as the server's account where it is a path; empty when there is none.
base::Result<base::Fd> ListenForMetrics(const config::Config& config, const ServiceDirs& dirs);

// Takes `address`, the pid files and the launcher's socket away.
void RemoveRuntimeFiles(const ServiceDirs& dirs);

// Judges the log file that is configured: it can be made where nobody else can put another in its place, or it is there and can be
// written, is empty or was written by a jobd, and is ours or the server's account's. Changes nothing.
base::Status CheckLogFile(const config::Config& config, const ServerAccount& account);

// Makes the log file, if one is configured, and gives it to the server's account, which writes to it as well. Refuses one that is
// not ours, as CheckLogFile does.
base::Status PrepareLogFile(const config::Config& config, const ServerAccount& account);

// Names this state directory among all of the machine: by its device and inode, so that no path can be mistaken.
base::Result<std::string> StateTag(int state_dir);

}  // namespace jobd::daemon
