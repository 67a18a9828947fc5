// The live batches and jobs, and what moves them. Every move of a live job is a step of the table in live_job.h, made here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "worker/launcher/launcher.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"
#include "worker/model/outcome.h"
#include "worker/plan/pools.h"
#include "worker/plan/queue.h"
#include "worker/run/announcer.h"
#include "worker/run/journal.h"
#include "worker/run/live_job.h"
#include "worker/run/spec_prefetcher.h"
#include "worker/run/upkeep.h"
#include "worker/store/readers.h"

namespace jobd::worker {

struct LiveJob {
  launch::JobKey key;
  LiveState state = LiveState::kRecording;
  // As last committed, or on the way to be. Of what is over its state says what comes next: QUEUED or HELD is another wait. Its
  // attempt is one below the key's when the key's was not used up.
  JobRow row;
  Slot slot;
  std::unique_ptr<launch::LaunchRequest> request;  // until it is launched
  Bounds bounds;
  base::Nanos kill_after = 0;
  uint32_t retries = 0;
  Reason stop_reason;  // why it was told to end, if it was
  // A hold came while it ran: should it be tried again, it waits HELD, by who is in the row. Kept in the store.
  bool hold_next = false;
  base::Nanos not_before = 0;  // by the loop's clock: when its slot may fall free, after a start that did not come about
  std::string lacked;          // for want of this: "entering namespaces: Resource temporarily unavailable"
  uint64_t log_base = 0;       // records in its log's index before this attempt
  base::Nanos picked_at = 0;   // wall clock, as the record's; 0: by an earlier process, or its start was told already

  bool StopWasAsked() const { return stop_reason.code != ReasonCode::kNone; }
  // Over, and its job waits again when nothing is left of this attempt.
  bool WaitsAgain() const {
    return IsOver(state) && (row.outcome.state == JobState::kQueued || row.outcome.state == JobState::kHeld);
  }
};

// A batch with live jobs.
struct LiveBatch {
  BatchName name;
  uint32_t job_count = 0;
  bool fail_fast = false;
  base::Nanos created_at = 0;
  int64_t last_seq = 0;                 // of its last start
  bool opened = false;                  // the launcher has made what its attempts need
  int open_errno = 0;                   // why it could not, and
  std::string_view open_step;           // at what; static
  std::vector<launch::JobKey> opening;  // who waits for that, which is under way
  std::map<uint32_t, LiveJob> jobs;
};

// Lives on the loop's thread. References to jobs and batches last until the job is gone.
class JobTable {
 public:
  // All are borrowed and outlive the table. `on_room` is called when a job has gone, in a turn of its own: there may be something
  // to start.
  struct Parts {
    Queue& queue;
    Journal& journal;
    Announcer& announcer;
    Launcher& launcher;
    SpecPrefetcher& specs;
    Upkeep& upkeep;
    std::function<void()> on_room;
  };
  explicit JobTable(Parts parts) : parts_(std::move(parts)) {}

  LiveBatch* FindBatch(uint64_t batch);
  LiveJob* Find(launch::JobKey key);
  LiveJob* FindIndex(uint64_t batch, uint32_t index);
  const std::unordered_map<uint64_t, LiveBatch>& batches() const { return batches_; }
  bool empty() const { return batches_.empty(); }

  // The batch, which comes into the table by this if it is not there. The reader's errors.
  base::Result<LiveBatch*> FindOrRead(LiveReader& reader, uint64_t batch);
  // The job is not in the table, its batch is.
  LiveJob& Add(LiveJob job);

  // Makes the step of the table and does its actions but for kRecordStart and kLaunch, which are the caller's. With kForget the job
  // is gone when this returns. What must not happen changes nothing.
  LiveStep Advance(LiveJob& job, LiveEvent event);
  // The job's row becomes this, and then the step is made.
  LiveStep Advance(LiveJob& job, LiveEvent event, JobRow row);

  // The program was executed at this time (wall clock; 0: it never was): how long it had waited is told, once.
  void NoteStart(LiveJob& job, base::Nanos started_at);

  // The batch goes out of the table when no job of it is live.
  void CloseIfEmpty(uint64_t batch);
  // Forgets what is known of a batch of which nothing waits and nothing is live.
  void RetireIfIdle(uint64_t batch);
  // Nothing of the batch waits or lives, and all of that is on disk.
  bool HasEnded(uint64_t batch) const;

 private:
  void FreeSlot(LiveJob& job);
  void CommitRow(const LiveJob& job);
  void TellStart(LiveJob& job);
  void TellRow(const LiveJob& job);
  void Forget(launch::JobKey key);

  const Parts parts_;
  std::unordered_map<uint64_t, LiveBatch> batches_;
};

}  // namespace jobd::worker
