// Where a session begins, as the cursor of a reader that has come this far.
#pragma once

#include "base/result.h"
#include "worker/logs/log_cursor.h"
#include "worker/logs/log_session.h"
#include "worker/store/readers.h"

namespace jobd::worker {

// What a query is about, and what a cursor of it is signed for.
std::string CursorContext(uint64_t batch, const LogQuery& query);

// `folder` is the batch's; -1: no job has started yet. Not for a query with a cursor, which says it itself. For a query of one job
// that job is open in the answer; for one of the last lines, every job that may have some.
base::Result<LogCursor> FindStart(const LogQuery& query, uint64_t batch, int folder, LogReader& reader);

}  // namespace jobd::worker
