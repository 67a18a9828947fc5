// What clients ask of jobs that wait, or are to wait again: hold, release, retry.
#include "worker/run/supervisor.h"

namespace jobd::worker {
namespace {

// Rows that the loop reads in one go, and one commit writes.
constexpr uint32_t kRowsAtOnce = 2000;

base::Error BeingRecorded(const std::string& what) {
  return {base::Code::kAborted, "a " + what + " of this batch is being recorded"};
}

}  // namespace

base::Status Supervisor::PutStates(uint64_t batch, const std::vector<uint32_t>& indexes, JobState state,
                                   std::vector<Change>& changes) {
  for (const uint32_t index : indexes) {
    JOBD_ASSIGN_OR_RETURN(const auto known, reader().Row(batch, index));
    JobRow row = known.value_or(JobRow{});
    row.outcome = Outcome{.state = state, .reason = row.outcome.reason};
    changes.push_back(PutJob{.batch = batch, .index = index, .row = std::move(row)});
  }
  return base::Ok();
}

void Supervisor::Hold(JobSelector jobs, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), done = std::move(done)] { HoldNow(jobs, done); });
}

// Holds at once, so that nothing starts meanwhile, and takes that back when it cannot be recorded.
void Supervisor::HoldNow(const JobSelector& jobs, const Callback<uint32_t>& done) {
  const auto found = FindBatch(jobs);
  if (!found.ok()) return done(found.error());
  const uint64_t batch = found->view.id;
  if (BehindRetry(batch, [this, jobs, done] { Hold(jobs, done); })) return;
  if (holding_.contains(batch)) return done(BeingRecorded("hold or release"));
  const bool whole = !jobs.index && queue_.Has(batch);
  const bool was_held = queue_.IsHeld(batch);
  std::vector<uint32_t> changed;
  if (whole) {
    changed = queue_.ExceptionsIn(batch, false);
  } else if (jobs.index && queue_.HoldJob(batch, *jobs.index)) {
    changed = {*jobs.index};
  }
  std::vector<Change> changes;
  if (auto put = PutStates(batch, changed, JobState::kHeld, changes); !put.ok()) {
    if (!whole && !changed.empty()) queue_.ReleaseJob(batch, changed.front());
    return done(std::move(put).error());
  }
  auto count = static_cast<uint32_t>(changed.size());
  if (whole) {
    if (!was_held) count += static_cast<uint32_t>(queue_.NeverStarted(batch));
    changes.push_back(SetHeld{.batch = batch, .held = true});
    queue_.SetHeld(batch, true);
    for (const uint32_t index : changed) queue_.HoldJob(batch, index);
  }
  // Those whose start is still being recorded go back.
  std::vector<uint32_t> taken_back;
  if (const auto home = homes_.find(batch); home != homes_.end()) {
    for (auto& [index, job] : home->second.jobs) {
      if ((jobs.index && *jobs.index != index) || job.stage != Stage::kRecording) continue;
      Unstart(batch, index, job, 0, true);
      taken_back.push_back(index);
      ++count;
    }
  }
  holding_.insert(batch);
  Put(std::move(changes), [this, batch, changed, taken_back, was_held, whole, count, done](const base::Status& status) {
    holding_.erase(batch);
    if (!status.ok()) {
      if (whole) queue_.SetHeld(batch, was_held);
      for (const uint32_t index : changed) queue_.ReleaseJob(batch, index);
      for (const uint32_t index : taken_back) UnholdUnsaved(batch, index);
    }
    parts_.changes.Publish(batch, 0);
    Dispatch();
    done(status.ok() ? base::Result<uint32_t>(count) : base::Result<uint32_t>(status.error()));
  });
}

// A job that was to go back to the queue held, when nothing could be recorded: it goes back as it was.
void Supervisor::UnholdUnsaved(uint64_t batch, uint32_t index) {
  const auto home = homes_.find(batch);
  if (home == homes_.end()) return;
  const auto found = home->second.jobs.find(index);
  if (found == home->second.jobs.end()) return;
  Job& job = found->second;
  if (job.stage != Stage::kEnding || !job.hold || job.saved) return;
  job.hold = false;
  job.row.outcome = Outcome{.state = JobState::kQueued};
}

void Supervisor::Release(JobSelector jobs, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), done = std::move(done)] { ReleaseNow(jobs, done); });
}

// Releases when that is recorded: nothing starts on the strength of a release that failed.
void Supervisor::ReleaseNow(const JobSelector& jobs, const Callback<uint32_t>& done) {
  const auto found = FindBatch(jobs);
  if (!found.ok()) return done(found.error());
  const uint64_t batch = found->view.id;
  if (BehindRetry(batch, [this, jobs, done] { Release(jobs, done); })) return;
  if (holding_.contains(batch)) return done(BeingRecorded("hold or release"));
  const bool whole = !jobs.index && queue_.Has(batch);
  std::vector<uint32_t> changed;
  if (whole) {
    changed = queue_.ExceptionsIn(batch, true);
  } else if (jobs.index && queue_.IsJobHeld(batch, *jobs.index)) {
    changed = {*jobs.index};
  }
  std::vector<Change> changes;
  if (auto put = PutStates(batch, changed, JobState::kQueued, changes); !put.ok()) return done(std::move(put).error());
  auto count = static_cast<uint32_t>(changed.size());
  if (whole) {
    if (queue_.IsHeld(batch)) count += static_cast<uint32_t>(queue_.NeverStarted(batch));
    changes.push_back(SetHeld{.batch = batch, .held = false});
  }
  holding_.insert(batch);
  Put(std::move(changes), [this, batch, changed, whole, count, done](const base::Status& status) {
    holding_.erase(batch);
    if (status.ok()) {
      for (const uint32_t index : changed) queue_.ReleaseJob(batch, index);
      if (whole) queue_.SetHeld(batch, false);
    }
    parts_.changes.Publish(batch, 0);
    Dispatch();
    done(status.ok() ? base::Result<uint32_t>(count) : base::Result<uint32_t>(status.error()));
  });
}

void Supervisor::Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), failed_only, done = std::move(done)]() mutable {
    const auto found = FindBatch(jobs);
    if (!found.ok()) return done(found.error());
    const uint64_t batch = found->view.id;
    // A second one would read the rows that the first is about to change, and queue the same jobs twice.
    if (retrying_.contains(batch)) return done(BeingRecorded("retry"));
    uint64_t most = 0;  // may be queued again
    for (const auto& [state, count] : found->view.counts) {
      if (MayRetry(state, failed_only)) most += count;
    }
    if (most == 0) return done(0u);
    if (jobs.index) most = 1;
    if (auto refusal = Refusal(Submitter{.owner = jobs.batch.owner}, most)) return done(*refusal);
    queue_.Reserve(jobs.batch.owner, static_cast<int64_t>(most));
    auto retrying = std::make_shared<Retrying>(Retrying{.batch = batch,
                                                        .owner = std::move(jobs.batch.owner),
                                                        .index = jobs.index,
                                                        .failed_only = failed_only,
                                                        .reserved = static_cast<int64_t>(most),
                                                        .done = std::move(done)});
    retrying_.emplace(batch, retrying);
    RetrySlice(retrying);
  });
}

bool Supervisor::BehindRetry(uint64_t batch, std::function<void()> work) {
  const auto found = retrying_.find(batch);
  if (found == retrying_.end()) return false;
  found->second->then.push_back(std::move(work));
  return true;
}

bool Supervisor::MayRetry(JobState state, bool failed_only) {
  return IsFinal(state) && !(failed_only && state == JobState::kSucceeded);
}

// Finished jobs stay as they are while the retry goes through them: nothing else moves them but a removal, which waits.
void Supervisor::RetrySlice(const std::shared_ptr<Retrying>& retrying) {
  std::vector<uint32_t> again;
  std::vector<Change> changes;
  const auto add = [&](uint32_t index, const JobRow& row) {
    if (!MayRetry(row.outcome.state, retrying->failed_only)) return;
    JobRow next = row;
    next.outcome = Outcome{.state = JobState::kQueued};
    next.retries_used = 0;
    again.push_back(index);
    changes.push_back(PutJob{.batch = retrying->batch, .index = index, .row = std::move(next), .move = Move::kNewAttempt});
  };
  bool last = true;
  if (retrying->index) {
    const auto row = reader().Row(retrying->batch, *retrying->index);
    if (!row.ok()) return EndRetry(*retrying, row.error());
    if (*row) add(*retrying->index, **row);
  } else {
    const auto rows = reader().Rows(retrying->batch, retrying->after, kRowsAtOnce);
    if (!rows.ok()) return EndRetry(*retrying, rows.error());
    for (const IndexedRow& one : *rows) add(one.index, one.row);
    last = rows->size() < kRowsAtOnce;
    if (!last) retrying->after = rows->back().index;
  }
  Put(std::move(changes), [this, retrying, again = std::move(again), last](const base::Status& status) {
    base::Status result = status;
    if (status.ok()) result = EnsureQueued(retrying->batch);
    if (!result.ok()) return EndRetry(*retrying, result);
    const auto count = static_cast<int64_t>(again.size());
    queue_.Reserve(retrying->owner, -count);
    retrying->reserved -= count;
    retrying->count += static_cast<uint32_t>(again.size());
    for (const uint32_t index : again) QueueAgain(retrying->batch, index);
    Dispatch();
    if (last) return EndRetry(*retrying, base::Ok());
    if (!retrying->then.empty()) {
      return EndRetry(*retrying, base::Error(base::Code::kAborted, "the batch was cancelled, held or released meanwhile"));
    }
    Post([this, retrying] { RetrySlice(retrying); });
  });
}

void Supervisor::QueueAgain(uint64_t batch, uint32_t index) {
  const auto home = homes_.find(batch);
  const auto lingering = home == homes_.end() ? decltype(home->second.jobs.end()){} : home->second.jobs.find(index);
  if (home != homes_.end() && lingering != home->second.jobs.end()) {
    lingering->second.requeue = true;  // when its shim is gone
  } else {
    queue_.Requeue(batch, index, false);
  }
  parts_.changes.Publish(batch, index);
}

void Supervisor::EndRetry(const Retrying& retrying, const base::Status& status) {
  queue_.Reserve(retrying.owner, -retrying.reserved);
  retrying_.erase(retrying.batch);
  for (const auto& work : retrying.then) work();
  Dispatch();
  retrying.done(status.ok() ? base::Result<uint32_t>(retrying.count) : base::Result<uint32_t>(status.error()));
}

}  // namespace jobd::worker
