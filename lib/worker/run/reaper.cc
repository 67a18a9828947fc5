// From the exit slot to the store.
#include <algorithm>
#include <cerrno>
#include <span>

#include "base/files.h"
#include "worker/run/supervisor.h"

namespace jobd::worker {
namespace {

// How long a job the launcher could not start for want of something keeps its slot before it is queued again: so the launcher is
// asked no more often than that per slot.
constexpr base::Nanos kRefusedBackOff = base::kNanosPerSecond;
// How often ends that the disk did not take are offered to it again.
constexpr base::Nanos kSaveAgain = base::kNanosPerSecond;
// How many exit slots are read by one call, whether or not a job runs in each of them.
constexpr size_t kSlotsAtOnce = 256;

// The machine had no process, or no memory for one: that passes, and is no fault of the job's. The job's own limit cannot be it, as
// its first process finds its cgroup empty.
bool LackedAProcess(const launch::SlotRecord& record) {
  return record.cause == launch::EndCause::kSetupFailed && record.step == launch::Step::kClone &&
         (record.step_errno == EAGAIN || record.step_errno == ENOMEM);
}

}  // namespace

Supervisor::Job* Supervisor::FindJob(launch::JobKey key) {
  const auto home = homes_.find(key.batch);
  if (home == homes_.end()) return nullptr;
  const auto job = home->second.jobs.find(key.index);
  if (job == home->second.jobs.end() || job->second.row.attempt != key.attempt) return nullptr;
  return &job->second;
}

void Supervisor::LookAtSlots(uint64_t batch) {
  const auto found = homes_.find(batch);
  if (found == homes_.end()) return;
  Home& home = found->second;
  std::vector<uint32_t> launched;
  for (const auto& [index, job] : home.jobs) {
    if (job.stage == Stage::kLaunched) launched.push_back(index);
  }
  // The event does not say which slot was written. Neighbours are read together, and what did not change is not decoded: among many
  // jobs that run, most did not.
  if (launched.empty()) return;
  std::vector<std::byte> window(std::min<size_t>(kSlotsAtOnce, launched.back() - launched.front() + 1) * launch::kSlotSize);
  uint32_t first = 0;
  size_t slots = 0;
  for (const uint32_t index : launched) {
    if (index >= first + slots) {
      const auto read = base::PreadUpTo(home.exits.get(), window, launch::SlotOffset(index));
      if (!read.ok()) return;  // the launcher still tells when the shims are gone
      first = index;
      slots = *read / launch::kSlotSize;
      if (slots == 0) return;  // cut short by someone: as above
    }
    const auto job = home.jobs.find(index);
    if (job == home.jobs.end() || job->second.stage != Stage::kLaunched) continue;  // what ended before it took it along
    const auto bytes = std::span<const std::byte>(window).subspan((index - first) * launch::kSlotSize, launch::kSlotSize);
    if (std::equal(bytes.begin(), bytes.end(), job->second.slot.begin())) continue;
    std::copy(bytes.begin(), bytes.end(), job->second.slot.begin());
    TakeInSlot(batch, home, index, launch::DecodeSlot(bytes));
  }
}

void Supervisor::LookAtSlot(uint64_t batch, Home& home, uint32_t index) {
  TakeInSlot(batch, home, index, launch::ReadSlot(home.exits.get(), index));
}

void Supervisor::TakeInSlot(uint64_t batch, Home& home, uint32_t index, const base::Result<launch::SlotRecord>& record) {
  const auto found = home.jobs.find(index);
  if (found == home.jobs.end() || found->second.stage != Stage::kLaunched) return;
  Job& job = found->second;
  // A slot that is being written reads as damaged now and as right at the next event.
  if (!record.ok() || record->attempt != job.row.attempt) return;
  if (record->phase == launch::Phase::kEnded) {
    if (LackedAProcess(*record) && job.asked.code == ReasonCode::kNone) return StartLater(batch, index, job);
    JobRow row = WithRecord(job.row, *record);
    row.outcome = OutcomeOf(*record, job.asked, job.bounds);
    SeeStart(job, record->started_at);
    parts_.observer.OnAttempt(row);
    Finish(batch, home, index, std::move(row));
  } else if (record->phase == launch::Phase::kRunning && !job.exec_seen) {
    SeeStart(job, record->started_at);
    job.row.started_at = record->started_at;
    Show({.batch = batch, .index = index, .attempt = job.row.attempt}, JobState::kRunning, record->started_at);
  }
}

void Supervisor::SeeStart(Job& job, base::Nanos started_at) {
  if (std::exchange(job.exec_seen, true) || started_at == 0 || job.picked_at == 0) return;
  parts_.observer.OnStarted(std::max<base::Nanos>(started_at - job.picked_at, 0));
}

void Supervisor::HandleRefused(const launch::Refused& refused) {
  Job* const job = FindJob(refused.key);
  if (job == nullptr || job->stage != Stage::kLaunched) return;
  job->shim_gone = true;
  // Refused because it has begun before, by whom we do not know (after a restored backup): its record says what became of it.
  LookAtSlot(refused.key.batch, homes_.at(refused.key.batch), refused.key.index);
  if (FindJob(refused.key) != job) return;
  if (job->stage == Stage::kEnding) return ForgetIfOver(refused.key.batch, refused.key.index);
  if (refused.retry && job->asked.code == ReasonCode::kNone) {
    Unstart(refused.key.batch, refused.key.index, *job, kRefusedBackOff);
    return;
  }
  job->retries = 0;  // the same request would be refused again
  JobRow row = job->row;
  if (refused.retry) {
    row = Ended(std::move(row), JobState::kCancelled, job->asked, parts_.clock.Realtime());
  } else if (job->exec_seen) {
    row = Ended(std::move(row), JobState::kLost, ShimDied(), parts_.clock.Realtime());
  } else {
    row = Ended(std::move(row), JobState::kFailed, Refused(refused.text), parts_.clock.Realtime());
  }
  Finish(refused.key.batch, homes_.at(refused.key.batch), refused.key.index, std::move(row));
}

void Supervisor::HandleShimExited(launch::JobKey key) {
  Job* job = FindJob(key);
  if (job == nullptr) return;
  job->shim_gone = true;
  if (job->stage == Stage::kLaunched) LookAtSlot(key.batch, homes_.at(key.batch), key.index);
  job = FindJob(key);
  if (job == nullptr) return;
  if (job->stage == Stage::kEnding) {
    ForgetIfOver(key.batch, key.index);
    return;
  }
  if (job->stage != Stage::kLaunched || job->after_sweep != AfterSweep::kNothing) return;
  // Killed before it could say how the job ended. What it leaves is removed before the job counts as over.
  const auto record = launch::ReadSlot(homes_.at(key.batch).exits.get(), key.index);
  job->after_sweep = AfterSweep::kEnd;
  job->lost = record.ok() ? ShimDied() : RecordDamaged();
  (void)parts_.launcher.Sweep(key);
}

void Supervisor::HandleSwept(launch::JobKey key) {
  Job* job = FindJob(key);
  // An answer to nothing that we asked of this attempt says nothing of it.
  if (job == nullptr || (job->stage == Stage::kLaunched && job->after_sweep == AfterSweep::kNothing)) return;
  job->shim_gone = true;
  // The shim may have written its job's end between our look at the slot and our look at its lock.
  if (job->stage == Stage::kLaunched) LookAtSlot(key.batch, homes_.at(key.batch), key.index);
  job = FindJob(key);
  if (job == nullptr) return;
  if (job->stage == Stage::kEnding) {
    ForgetIfOver(key.batch, key.index);
    return;
  }
  if (job->stage != Stage::kLaunched) return;
  const bool unbegun = std::exchange(job->after_sweep, AfterSweep::kNothing) == AfterSweep::kRequeue;
  // Its shim may have begun the job after we looked, and died since: what has begun is not begun again.
  const auto record = launch::ReadSlot(homes_.at(key.batch).exits.get(), key.index);
  const bool begun = !record.ok() || (record->phase != launch::Phase::kNone && record->attempt == key.attempt);
  if (unbegun && !begun && job->asked.code == ReasonCode::kNone) {
    Unstart(key.batch, key.index, *job, 0);
    return;
  }
  const bool cancelled = unbegun && !begun;  // told to end before it began
  const Reason lost = !unbegun ? job->lost : record.ok() ? ShimDied() : RecordDamaged();
  job->retries = 0;
  Finish(
      key.batch, homes_.at(key.batch), key.index,
      Ended(job->row, cancelled ? JobState::kCancelled : JobState::kLost, cancelled ? job->asked : lost, parts_.clock.Realtime()));
}

void Supervisor::Finish(uint64_t batch, Home& home, uint32_t index, JobRow row) {
  Job& job = home.jobs.at(index);
  const JobState state = row.outcome.state;
  const bool again = (state == JobState::kFailed || state == JobState::kTimedOut) && job.asked.code == ReasonCode::kNone &&
                     row.retries_used < job.retries;
  if (!job.launched) job.shim_gone = true;
  FreeSlot(batch, job);
  job.stage = Stage::kEnding;
  job.request.reset();
  job.row = std::move(row);
  job.requeue = again;
  if (again) {
    // What is kept of the failed attempt are its times and its usage, until the next one starts.
    ++job.row.retries_used;
    job.row.outcome = Outcome{.state = JobState::kQueued, .reason = job.row.outcome.reason};
  }
  Save(batch, index, job);
  if (!again && state != JobState::kSucceeded && home.fail_fast) CancelRest(batch, index);
  Dispatch();
}

void Supervisor::Unstart(uint64_t batch, uint32_t index, Job& job, base::Nanos after, bool hold) {
  if (!job.launched) job.shim_gone = true;
  job.stage = Stage::kEnding;
  job.request.reset();
  job.requeue = true;
  job.unstarted = true;
  job.hold = hold;
  const launch::JobKey key{.batch = batch, .index = index, .attempt = job.row.attempt};
  job.row.outcome = Outcome{.state = hold ? JobState::kHeld : JobState::kQueued};
  if (after == 0) {
    FreeSlot(batch, job);
    Save(batch, index, job);
    Dispatch();
    return;
  }
  FreeSlotLater(key, after);
  Save(batch, index, job);
}

void Supervisor::StartLater(uint64_t batch, uint32_t index, Job& job) {
  job.stage = Stage::kEnding;
  job.requeue = true;
  job.row.outcome = Outcome{.state = JobState::kQueued};
  FreeSlotLater({.batch = batch, .index = index, .attempt = job.row.attempt}, kRefusedBackOff);
  Save(batch, index, job);
}

void Supervisor::FreeSlotLater(launch::JobKey key, base::Nanos after) {
  Later(after, [this, key] {
    Job* const waiting = FindJob(key);
    if (waiting == nullptr) return;
    FreeSlot(key.batch, *waiting);
    ForgetIfOver(key.batch, key.index);
    Dispatch();
  });
}

void Supervisor::Save(uint64_t batch, uint32_t index, Job& job) {
  job.saved = false;
  ++job.saving;
  const launch::JobKey key{.batch = batch, .index = index, .attempt = job.row.attempt};
  JobRow row = job.row;
  if (job.unstarted) --row.attempt;
  Put({PutJob{.batch = batch, .index = index, .row = std::move(row)}},
      [this, key](const base::Status& status) { OnSaved(key, status); });
}

void Supervisor::OnSaved(launch::JobKey key, const base::Status& status) {
  Job* const job = FindJob(key);
  if (job == nullptr || job->stage != Stage::kEnding) return;
  if (--job->saving > 0) return;  // a later one says more
  if (!status.ok()) {
    // How it ended stays here, and in its exit record, until the disk takes it.
    unsaved_.push_back(key);
    if (saving_later_) return;
    saving_later_ = true;
    Later(kSaveAgain, [this] {
      saving_later_ = false;
      for (const launch::JobKey& again : std::exchange(unsaved_, {})) {
        if (Job* const held = FindJob(again); held != nullptr && held->stage == Stage::kEnding && !held->saved) {
          Save(again.batch, again.index, *held);
        }
      }
    });
    return;
  }
  job->saved = true;
  parts_.live.Erase(key.batch, key.index);
  if (!job->final_told) {
    job->final_told = IsFinal(job->row.outcome.state);
    Told(key.batch, key.index, job->row.outcome);
    if (HasEnded(key.batch)) parts_.changes.Publish(key.batch, 0);
  }
  ForgetIfOver(key.batch, key.index);
}

bool Supervisor::HasEnded(uint64_t batch) const {
  if (queue_.QueuedIn(batch) > 0) return false;
  const auto home = homes_.find(batch);
  return home == homes_.end() || std::all_of(home->second.jobs.begin(), home->second.jobs.end(), [](const auto& one) {
           return one.second.stage == Stage::kEnding && one.second.saved && !one.second.requeue;
         });
}

void Supervisor::ForgetIfOver(uint64_t batch, uint32_t index) {
  const auto home = homes_.find(batch);
  if (home != homes_.end()) {
    if (const auto found = home->second.jobs.find(index); found != home->second.jobs.end()) {
      const Job& job = found->second;
      // A shim that still lives holds the lock of the slot: the next attempt would find it taken.
      if (job.stage != Stage::kEnding || !job.saved || !job.shim_gone || job.holds_slot) return;
      const bool requeue = job.requeue;
      const bool hold = job.hold;
      home->second.jobs.erase(found);
      if (requeue) queue_.Requeue(batch, index, false);
      if (requeue && hold) queue_.HoldJob(batch, index);
    }
    if (home->second.jobs.empty()) {
      homes_.erase(home);
      specs_.Forget(batch);
    }
  }
  RetireIfIdle(batch);
  Dispatch();
}

void Supervisor::CancelRest(uint64_t batch, uint32_t failed) {
  if (BehindRetry(batch, [this, batch, failed] { CancelRest(batch, failed); })) return;
  PutCancel(batch, CollectCancel(batch, std::nullopt, FailFast(failed), std::nullopt), [](const base::Result<CancelCounts>&) {
    // What could not be cancelled for want of disk is still queued, and is cancelled by the next job of the batch that fails.
  });
}

}  // namespace jobd::worker
