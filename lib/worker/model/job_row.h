// A job as the store keeps it once it is more than a spec in the queue.
#pragma once

#include <cstdint>
#include <string>

#include "worker/model/model.h"

namespace jobd::worker {

// A queued job that was never started has no row: its spec alone says that it exists.
struct JobRow {
  Outcome outcome;  // its state, and what is known of its end; of STOPPING: who asked and why
  uint32_t attempt = 0;
  uint32_t retries_used = 0;   // automatic ones since it was submitted or retried by hand
  base::Nanos started_at = 0;  // wall clock
  base::Nanos ended_at = 0;
  Usage usage;
  uint64_t stdout_bytes = 0;
  uint64_t stderr_bytes = 0;
  uint64_t dropped_bytes = 0;
  base::Nanos waits_since = 0;  // of QUEUED and HELD: when it became so; 0: when its batch did
  std::string held_by;          // of HELD: who did that
};

// The end of a job that takes place without an attempt's record: cancelled in the queue, refused, lost.
inline JobRow Ended(JobRow row, JobState state, Reason reason, base::Nanos now) {
  row.outcome = Outcome{.state = state, .reason = std::move(reason)};
  row.ended_at = now;
  return row;
}

}  // namespace jobd::worker
