#include "worker/run/reaper.h"

#include <algorithm>
#include <utility>

#include "worker/model/outcome.h"

namespace jobd::worker {
namespace {

// How long a job that could not be started for want of something keeps its slot before it waits again: so the launcher is asked no
// more often than that for each slot. As long as it has lasted already, between these: each try may use up a number, and is
// recorded.
constexpr base::Nanos kShortestRest = base::kNanosPerSecond;
constexpr base::Nanos kLongestRest = 8 * base::kNanosPerSecond;
// The answer to a Ping comes so long after the store is known to hang.
constexpr base::Nanos kMargin = base::kNanosPerSecond;

// The row of a job that waits again. One that is held waits so from now on.
void SetNextWait(const LiveJob& job, const Reason& reason, base::Nanos now, JobRow& row) {
  row.outcome = Outcome{.state = job.hold_next ? JobState::kHeld : JobState::kQueued, .reason = reason};
  if (job.hold_next) row.waits_since = now;
  if (!job.hold_next) row.held_by.clear();
}

}  // namespace

LiveJob* Reaper::FindWithLauncher(launch::JobKey key) {
  LiveJob* const job = parts_.table.Find(key);
  return job != nullptr && IsWithLauncher(job->state) ? job : nullptr;
}

void Reaper::OnStarted(launch::JobKey key, base::Nanos at) {
  LiveJob* const job = FindWithLauncher(key);
  if (job == nullptr) return;
  job->row.started_at = at;
  lacking_since_ = 0;
  parts_.table.Advance(*job, LiveEvent::kStarted);
}

void Reaper::OnEnded(launch::JobKey key, const launch::SlotRecord& record) {
  LiveJob* const job = FindWithLauncher(key);
  if (job == nullptr) return;
  JobRow row = WithRecord(job->row, record);
  row.outcome = OutcomeOf(record, job->stop_reason, job->bounds);
  if (record.started_at != 0) lacking_since_ = 0;
  parts_.table.NoteStart(*job, record.started_at);
  parts_.announcer.NotifyAttempt(row);
  if ((record.flags & launch::kFlagLogDiskError) != 0) {
    parts_.announcer.NotifyOutputLost(parts_.table.FindBatch(key.batch)->name, key.index, record.dropped_bytes);
  }
  Finish(*job, std::move(row), true);
}

void Reaper::OnNotStarted(launch::JobKey key, const NotStarted& why) {
  LiveJob* const job = FindWithLauncher(key);
  if (job == nullptr) return;
  if (why.retryable && !job->StopWasAsked()) return RequeueAfterStartFailure(*job, why);
  const base::Nanos now = parts_.clock.Realtime();
  Finish(*job,
         why.retryable ? Ended(job->row, JobState::kCancelled, job->stop_reason, now)
                       : Ended(job->row, JobState::kFailed, Refused(why.text), now),
         false);
}

void Reaper::OnLost(launch::JobKey key, const Reason& why) {
  LiveJob* const job = FindWithLauncher(key);
  if (job != nullptr) Finish(*job, Ended(job->row, JobState::kLost, why, parts_.clock.Realtime()), false);
}

void Reaper::Finish(LiveJob& job, JobRow row, bool may_retry) {
  const JobState state = row.outcome.state;
  const bool again = may_retry && (state == JobState::kFailed || state == JobState::kTimedOut) && !job.StopWasAsked() &&
                     row.retries_used < job.retries;
  if (again) {
    // What is kept of the failed attempt are its times and its usage, until the next one starts.
    ++row.retries_used;
    row.waits_since = parts_.clock.Realtime();
    SetNextWait(job, Reason(row.outcome.reason), row.waits_since, row);
  } else {
    row.held_by.clear();
  }
  const launch::JobKey key = job.key;
  parts_.table.Advance(job, LiveEvent::kEnded, std::move(row));
  // Before anything of the batch is started in its place.
  if (!again && state != JobState::kSucceeded) parts_.canceller.CancelRestIfFailFast(key.batch, key.index);
  parts_.dispatcher.Dispatch();
}

void Reaper::RequeueAfterStartFailure(LiveJob& job, const NotStarted& why) {
  JobRow row = job.row;
  SetNextWait(job, {}, parts_.clock.Realtime(), row);
  if (!why.number_used) row.attempt = job.key.attempt - 1;
  // One that a restart kept from starting need not rest.
  if (job.picked_at != 0) {
    job.not_before = parts_.loop.Now() + NextRest();
    job.lacked = why.text;
  }
  parts_.table.Advance(job, LiveEvent::kNotStarted, std::move(row));
}

base::Nanos Reaper::NextRest() {
  const base::Nanos now = parts_.loop.Now();
  const bool goes_on = lacking_since_ != 0 && now - std::exchange(lacked_last_, now) < 2 * kLongestRest;
  if (!goes_on) lacking_since_ = lacked_last_ = now;
  return std::clamp(now - lacking_since_, kShortestRest, kLongestRest);
}

void Reaper::OnReleased(launch::JobKey key) {
  LiveJob* const job = parts_.table.Find(key);
  if (job == nullptr) return;
  if (job->not_before > parts_.loop.Now()) {
    resting_.Add(job->not_before, key);
    return AwaitRested();
  }
  parts_.table.Advance(*job, LiveEvent::kReleased);
  parts_.dispatcher.Dispatch();
}

void Reaper::AwaitRested() {
  const auto next = resting_.Next();
  if (!next || (timer_at_ != 0 && timer_at_ <= *next)) return;
  timer_at_ = *next;
  parts_.loop.After(std::max<base::Nanos>(*next - parts_.loop.Now(), 0), [this] { ReleaseRested(); });
}

void Reaper::ReleaseRested() {
  timer_at_ = 0;
  for (const launch::JobKey& key : resting_.TakeDue(parts_.loop.Now())) {
    if (LiveJob* const job = parts_.table.Find(key); job != nullptr) parts_.table.Advance(*job, LiveEvent::kReleased);
  }
  AwaitRested();
  parts_.dispatcher.Dispatch();
}

void Reaper::OnPing() {
  // On the loop already; answered when the store's thread has had its turn, too. Whether the disk takes anything is another matter:
  // one that hangs is no reason to end this process, whose successor would hang as well.
  const auto hangs = [this] {
    const auto problem = parts_.store.FindProblem();
    return problem && problem->kind == Store::Problem::Kind::kHangs;
  };
  if (hangs()) return (void)parts_.launcher.Alive();
  parts_.loop.After(Store::kHangsAfter + kMargin, [this, hangs] {
    if (hangs()) (void)parts_.launcher.Alive();
  });
  parts_.store.Apply({Write{.changes = {}, .done = [this](const base::Status&) { (void)parts_.launcher.Alive(); }}});
}

}  // namespace jobd::worker
