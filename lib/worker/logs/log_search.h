// Finds where to begin reading: at a time, at a byte, or so many lines from the end. The cost grows with what will be read, not
// with what lies before it; the number of open files does not grow.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/log_index.h"
#include "worker/logs/job_log_reader.h"

namespace jobd::worker {

// The first record of which something arrived at `time` or later: a binary search in the index.
base::Result<LogPosition> SeekTime(int folder, uint32_t index, base::Nanos time);

// The record that holds a byte of a stream.
base::Result<LogPosition> SeekOffset(int folder, uint32_t index, launch::Stream stream, uint64_t offset);

// The position at a record, as the first of an attempt. Where its bytes are in the streams the record itself will tell.
LogPosition AtRecord(uint64_t record);

// A job to search backwards in.
struct TailJob {
  uint32_t index = 0;
  base::Nanos ended_at = 0;  // none of its records is later; 0: still running
  // Only its records of [first, end).
  uint64_t first = 0;
  uint64_t end = std::numeric_limits<uint64_t>::max();
};

// Where each job has to be read from so that together they give the last `lines` lines in order of arrival. A stream's last bytes
// count as a line also without a newline. `next` gives jobs, running ones first, then by falling end; it is asked only as far as
// needed. Jobs that are absent from the answer lie wholly before it.
base::Result<std::map<uint32_t, LogPosition>> SeekLines(int folder, std::optional<launch::Stream> only, uint64_t lines,
                                                        const std::function<base::Result<std::optional<TailJob>>()>& next);

}  // namespace jobd::worker
