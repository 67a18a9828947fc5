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

// Takes every batch of log_dir that the database does not know into it; a damaged database is put aside first, and one that is
// whole is kept and added to. Nobody else may use the database. What exit records prove is restored: owner, ID, how and when each
// job ended, what it used, where its output is. What was submitted (commands, names, labels, options) they do not hold: such a
// batch has empty commands and the label recovered=exit-records. A job without a record of its end is LOST: nothing is ever started
// again. kFailedPrecondition: jobs still run, whose recorders could not be found again; or the database is of a newer version.
base::Result<Recovered> RecoverState(int state_dir, int log_dir);

}  // namespace jobd::worker
