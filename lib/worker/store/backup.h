// Copies of the database, for the day it is lost. A backup is a folder with `jobd.db` and, written last, `backup`: one line that
// names the copy's SHA-256. A folder without that line is no backup. The output of jobs is not in it: it lies in files, which any
// tool can copy. Nor are logins: after a restore everybody logs in again.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace jobd::worker {

inline constexpr const char* kBackupMark = "backup";

struct BackupFigures {
  uint64_t batches = 0;
  uint64_t bytes = 0;
};

// Copies the database of `state_dir`, as it is at one moment, into the empty directory `target`, and has it on disk when it
// returns. A server may be at work on the database: it is neither stopped nor held up. kNotFound: there is no database;
// kFailedPrecondition: `target` is not empty, or the database is of a newer version; kDataLoss: it is damaged.
base::Result<BackupFigures> BackupState(int state_dir, int target);

// Makes the database of `state_dir` what `backup` (a descriptor of its jobd.db) holds, if that is whole and what `mark` (the
// content of its kBackupMark) says. Nobody else may use the database. With `replace` a database that is there is put aside, under
// the name that `aside` gets; without, it is kFailedPrecondition. Nothing is changed unless every check has passed.
base::Result<BackupFigures> RestoreState(int state_dir, int backup, const std::string& mark, bool replace, std::string& aside);

// Renames the database and its companions, out of the way, to a name that is free; empty when there is none.
base::Result<std::string> PutDatabaseAside(int state_dir, const std::string& why);

}  // namespace jobd::worker
