// Runs `jobd --backup`, `--restore`, `--recover` and a part of `--check-config`. The launcher starts jobd-server for them, because
// this program alone knows the database.
#pragma once

#include <string>

namespace jobd::server {

// `task` is "backup", "restore", "recover" or "check"; with `replace` a restoration puts the present database aside. Reports on
// standard output and returns the exit code. The files to work on come over the launcher's socket, as one HelloAck with descriptors
// of these names: "state" and "log", the directories; for a backup "backup", the empty folder it goes to; for a restoration
// "database" and "mark", the two files of a backup; for a check the files, as launch::Files has them.
int RunMaintenance(const std::string& task, bool replace);

}  // namespace jobd::server
