// Tells everybody who listens what became of jobs: watchers, readers of live states, the observer, and whoever asks for the status.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/guarded.h"
#include "launch/contract/launch_request.h"
#include "worker/model/job_row.h"
#include "worker/model/observer.h"
#include "worker/model/service_status.h"
#include "worker/watch/change_bus.h"
#include "worker/watch/live_overlay.h"

namespace jobd::worker {

// The loop tells; Status is thread-safe. What is told of rows is on disk by then: call these after the commit.
class Announcer {
 public:
  // All are borrowed and outlive this.
  Announcer(ChangeBus& changes, LiveOverlay& live, Observer& observer) : changes_(changes), live_(live), observer_(observer) {}

  // Live states, which are in no row.
  void PublishLiveState(launch::JobKey key, JobState state, base::Nanos started_at = 0, base::Nanos kill_after = 0);
  void OpenBatch(const BatchName& name, uint64_t batch) { live_.Open(name, batch); }
  void CloseBatch(const BatchName& name) { live_.Close(name); }
  void ForgetLiveState(launch::JobKey key) { live_.Erase(key.batch, key.index); }
  // `waited`: from its pick to its exec.
  void NotifyStarted(base::Nanos waited) { observer_.OnStarted(waited); }
  // An attempt ran, or failed to.
  void NotifyAttempt(const JobRow& row) { observer_.OnAttempt(row); }

  void NotifyOutputLost(const BatchName& batch, uint32_t index, uint64_t bytes) { observer_.OnOutputLost(batch, index, bytes); }

  void NotifyAccepted(uint32_t jobs) { observer_.OnAccepted(jobs); }
  // A job has another state; counted when it is a final one.
  void NotifyState(const BatchName& batch, launch::JobKey key, const Outcome& outcome);
  // So many jobs of the batch that had never started were cancelled together.
  void NotifyCancelled(const BatchName& batch, uint64_t count);
  void PublishJob(uint64_t batch, uint32_t index) { changes_.Publish(batch, index); }
  void PublishBatch(uint64_t batch) { changes_.Publish(batch, 0); }

  struct Load {
    ServiceState state = ServiceState::kRunning;
    std::string state_by;
    base::Nanos state_since = 0;
    uint32_t slots = 0;
    uint32_t running = 0;
    uint64_t queued = 0;
  };
  void PublishLoad(const Load& load);
  // Without disks and what is kept.
  WorkerStatus Status() const { return *status_.Lock(); }

 private:
  void Count(JobState state, uint64_t jobs) { status_.Lock()->finished[state] += jobs; }

  ChangeBus& changes_;
  LiveOverlay& live_;
  Observer& observer_;
  base::Guarded<WorkerStatus> status_;
};

}  // namespace jobd::worker
