// A database made anew from what the files of jobs prove, when the old one is lost.
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

// No recorder of a job of log_dir lives. Whoever replaces the database must know: jobs that it does not know are ended when jobd
// starts. kFailedPrecondition names the job and what to do, or says that a record is of a later version.
base::Status CheckNothingRuns(int log_dir);

// Takes every batch of log_dir that the database does not know into it; a damaged database is put aside first, and one that is
// whole is kept and added to. Nobody else may use the database. What exit records prove is restored: owner, ID, how and when each
// job ended, what it used, where its output is. What was submitted (commands, names, labels, options) they do not hold: such a
// batch has empty commands and the label recovered=exit-records. A job without a record of its end is LOST: nothing is ever started
// again. kFailedPrecondition: as CheckNothingRuns; or the database is of a newer version.
base::Result<Recovered> RecoverState(int state_dir, int log_dir);

}  // namespace jobd::worker
