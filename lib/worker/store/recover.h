// Makes a database from what the files of jobs prove, when the old one is lost.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace jobd::worker {

struct Recovered {
  uint64_t batches = 0;  // taken in
  uint64_t jobs = 0;     // of them
  uint64_t proven = 0;   // whose end was on record
  uint64_t known = 0;    // batches that the database had already
  uint64_t skipped = 0;  // folders whose exit records cannot be read
  std::string aside;     // the name under which a damaged database was put, if there was one
};

// Checks that no shim of a job of log_dir lives. To be called before the database is replaced: when jobd starts, it ends jobs that
// the database does not know. kFailedPrecondition names the job and what to do, or says that a record is of a later version. Any
// other error: whether something runs could not be found out, as for want of descriptors or because the disk fails.
base::Status CheckNothingRuns(int log_dir);

// kDataLoss: there is no database in state_dir, or an empty one, though log_dir has exit records of jobs: a service that began anew
// would not know what has run already, nor what runs. The text says what an operator can do.
base::Status CheckDatabaseIsNotGone(int state_dir, int log_dir);

// Adds every batch of log_dir that the database does not know. A damaged database is put aside first; one that is whole is kept.
// Nobody else may use the database. Restored is what exit records prove: owner, ID, how and when each job ended, what it used,
// where its output is. They do not hold what was submitted (commands, names, labels, options): a recovered batch has empty commands
// and the label recovered=exit-records. A job without a record of its end is LOST. Nothing is ever started again.
// kFailedPrecondition: as CheckNothingRuns; or the database is of a newer version.
base::Result<Recovered> RecoverState(int state_dir, int log_dir);

}  // namespace jobd::worker
