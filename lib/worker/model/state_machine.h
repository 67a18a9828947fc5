// The states of a job and the moves between them: the one table.
//
// clang-format off
//   from \ to    QUEUED HELD SCHEDULED STARTING RUNNING STOPPING final
//   QUEUED         .     H       P        S        .       .       C
//   HELD           R     .       .        .        .       .       C
//   SCHEDULED      B     B       .        S        .       .       C
//   STARTING       B     B       .        .        X       K       E
//   RUNNING        A     .       .        .        .       K       E
//   STOPPING       .     .       .        .        .       .       E
//   final          N     .       .        .        .       .       .
//
//   P: picked by the planner, for a free slot     S: its row is committed     X: exec happened
//   H: Hold     R: Release     C: Cancel, fail_fast or Stop with now     K: told to end
//   E: it ended, or never ran     B: put back, it provably never started     A: its next automatic attempt
//   N: Retry, which makes a new attempt of the job
// clang-format on
//
// QUEUED and HELD are also left by the next attempt alone: a job whose attempt failed and has retries left goes from its live state
// to QUEUED, never through a final one. A final state never changes: what Retry queues is a new attempt, and it is asked for by
// name (Move::kNewAttempt) so that no other path can reopen a finished job.
//
// SCHEDULED and RUNNING live in memory: on disk a job is QUEUED until its start is committed, and STARTING from then on until it
// ends or is told to, because the exit file says how far it came.
#pragma once

#include "worker/model/model.h"

namespace jobd::worker {

enum class Move { kOrdinary, kNewAttempt };

// Whether a job may go from one state to the other. Staying is no move, but for QUEUED and HELD, whose other data may change.
bool MayMove(JobState from, JobState to, Move move = Move::kOrdinary);

}  // namespace jobd::worker
