// What is written to the store: values, which the store turns into rows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"
#include "worker/model/request.h"
#include "worker/model/session_store.h"
#include "worker/model/state_machine.h"

namespace jobd::worker {

// A job's spec as it is stored: by spec_codec, and standard input apart from it, so that a list of commands need not read that.
struct EncodedSpec {
  std::string spec;
  std::string stdin_data;
};

struct NewBatch {
  BatchName name;
  BatchOptions options;
  std::string digest;  // of what was submitted: the same again is a repeat
  std::vector<EncodedSpec> specs;
  uint32_t max_running = 0;  // the owner's quota; 0: none
  base::Nanos created_at = 0;
  // Set: no new batch may be accepted, for this reason. One that is already stored is still answered as the first time.
  std::optional<base::Error> refusal;
};

// What became of a submission.
struct Stored {
  uint64_t id = 0;
  Receipt receipt;
};

// The job's row becomes `row`. Moves that the state machine forbids are passed over: what was committed first stands. With `must`,
// which is for the first change of a write, such a move fails the write with kAborted: nothing of it is on disk.
struct PutJob {
  uint64_t batch = 0;
  uint32_t index = 0;
  JobRow row;
  Move move = Move::kOrdinary;
  bool must = false;
};
// A start of an attempt, for readers of the merged output. `seq` only grows within a batch.
struct AddStart {
  uint64_t batch = 0;
  int64_t seq = 0;
  uint32_t index = 0;
  uint32_t attempt = 0;
  uint64_t log_base = 0;
};
// Every job of [first, last] that has no row yet gets this one.
struct PutRange {
  uint64_t batch = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  JobRow row;
};
// Every job of [first, last] that has a row and waits, QUEUED or HELD, goes to another state. What else its row says stays.
struct MoveWaiting {
  uint64_t batch = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  JobState to = JobState::kQueued;  // QUEUED, HELD or CANCELLED
  Reason reason;                    // of CANCELLED
  std::string by;                   // of HELD
  base::Nanos at = 0;
};
// Whether jobs without a row count as HELD.
struct SetHeld {
  uint64_t batch = 0;
  bool held = false;
  std::string by;  // of a hold
  base::Nanos at = 0;
};
// Whether a job that runs waits HELD should it be tried again, and who wants that. Passed over when the job does not run.
struct SetHoldNext {
  uint64_t batch = 0;
  uint32_t index = 0;
  bool hold = false;
  std::string by;
};
// A fact of the service itself, as its state.
struct PutMeta {
  std::string key;
  std::string value;
};
// The batch and all of its rows go.
struct DropBatch {
  uint64_t batch = 0;
};
// What the files of an ended batch take on the disk. Passed over when it has not ended, or at another time than this.
struct SetKept {
  uint64_t batch = 0;
  base::Nanos ended_at = 0;
  uint64_t bytes = 0;
};
// The session of this handle becomes this one, whether there was one or not.
struct PutSession {
  SessionRecord session;
};
struct DropSession {
  std::string handle;
};
struct PutRehashed {
  RehashedPassword password;
};
using Change = std::variant<PutJob, AddStart, PutRange, MoveWaiting, SetHeld, SetHoldNext, PutMeta, DropBatch, SetKept, PutSession,
                            DropSession, PutRehashed>;

// Changes that are committed together or not at all. `done` may be empty.
struct Write {
  std::vector<Change> changes;
  std::function<void(base::Status)> done;
};

}  // namespace jobd::worker
