// SQLite's write-ahead log, as far as it tells whether commits were lost with it. SQLite takes a log that is missing for one that
// was not needed, and one that is damaged for one that ends there: it then opens an older database without a word.
#pragma once

#include "base/result.h"

namespace jobd::worker {

enum class LogState {
  kNone,     // missing, shorter than its header, or with a damaged header: SQLite reads nothing of it
  kWhole,    // at most what was being committed when the machine lost its power is missing
  kDamaged,  // behind its first damaged frame are more commits, each of which was on disk before the next was begun
};

// The log of `database`, a file in the directory; both are only read. Nobody may be writing. The format is "WAL-mode File Format",
// https://www.sqlite.org/fileformat2.html#walformat. An error: it could not be read.
base::Result<LogState> ExamineLog(int directory, const char* database);

}  // namespace jobd::worker
