#include "worker/run/announcer.h"

namespace jobd::worker {

void Announcer::PublishLiveState(launch::JobKey key, JobState state, base::Nanos started_at, base::Nanos kill_after) {
  live_.Set(key.batch, key.index, {.state = state, .attempt = key.attempt, .started_at = started_at, .kill_after = kill_after});
  changes_.Publish(key.batch, key.index);
}

void Announcer::NotifyState(const BatchName& batch, launch::JobKey key, const Outcome& outcome) {
  if (IsFinal(outcome.state)) {
    Count(outcome.state, 1);
    observer_.OnEnded(batch, key.index, outcome, 1);
  }
  changes_.Publish(key.batch, key.index);
}

void Announcer::NotifyCancelled(const BatchName& batch, uint64_t count) {
  Count(JobState::kCancelled, count);
  observer_.OnEnded(batch, 0, Outcome{.state = JobState::kCancelled}, count);
}

void Announcer::PublishLoad(const Load& load) {
  const auto status = status_.Lock();
  status->state = load.state;
  status->state_by = load.state_by;
  status->state_since = load.state_since;
  status->slots = load.slots;
  status->running = load.running;
  status->queued = load.queued;
}

}  // namespace jobd::worker
