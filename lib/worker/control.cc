// What clients ask of batches that are there: cancel, signal, hold, release, retry.
#include <algorithm>

#include "worker/admission.h"
#include "worker/batch_files.h"
#include "worker/supervisor.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kRowsAtOnce = 1000;
// Watchers are told of so many jobs by name; of more, that the batch changed.
constexpr uint64_t kToldOneByOne = 1000;

}  // namespace

template <typename T>
void Supervisor::Answer(const Callback<T>& done, const base::Status& status, T value) {
  done(status.ok() ? base::Result<T>(std::move(value)) : base::Result<T>(status.error()));
}

base::Result<ActiveBatch> Supervisor::FindBatch(const JobSelector& jobs) {
  JOBD_ASSIGN_OR_RETURN(const uint64_t id, reader().Find(jobs.batch, false));
  if (removing_.contains(id)) return base::Error(base::Code::kNotFound, "no such batch");
  JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, reader().Active(id));
  if (jobs.index && (*jobs.index == 0 || *jobs.index > batch.view.job_count)) {
    return base::Error(base::Code::kNotFound, "no such job");
  }
  return batch;
}

base::Status Supervisor::EnsureQueued(uint64_t batch) {
  if (queue_.Has(batch)) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, reader().Active(batch));
  queue_.AddEmpty({.id = batch,
                   .owner = about.view.name.owner,
                   .priority = about.view.options.priority,
                   .job_count = about.view.job_count,
                   .parallel = about.view.options.parallel,
                   .held = about.held});
  return base::Ok();
}

void Supervisor::CancelLive(uint64_t batch, Home& /*home*/, uint32_t index, Job& job, const Reason& reason,
                            std::optional<base::Nanos> grace, Cancelling& out) {
  switch (job.stage) {
    case Stage::kRecording:
      FreeSlot(batch, job);
      job.stage = Stage::kEnding;
      job.shim_gone = true;
      job.unstarted = true;
      job.request.reset();
      break;
    case Stage::kEnding:
      if (!job.requeue) return;
      job.requeue = false;
      job.final_told = false;
      break;
    case Stage::kLaunched:
      if (job.asked.code == ReasonCode::kNone) {
        job.asked = reason;
        JobRow row = job.row;
        row.outcome = Outcome{.state = JobState::kStopping, .reason = reason};
        out.changes.push_back(PutJob{.batch = batch, .index = index, .row = std::move(row)});
      }
      ++out.counts.stopping;
      out.stopping.emplace_back(launch::JobKey{.batch = batch, .index = index, .attempt = job.row.attempt},
                                grace.value_or(job.kill_after));
      return;
  }
  ++out.counts.cancelled;
  const uint32_t attempt = job.row.attempt;
  job.row = Ended(std::move(job.row), JobState::kCancelled, reason, parts_.clock.Realtime());
  job.row.attempt = attempt;
  Save(batch, index, job);
}

Supervisor::Cancelling Supervisor::CollectCancel(uint64_t batch, std::optional<uint32_t> index, const Reason& reason,
                                                 std::optional<base::Nanos> grace) {
  Cancelling out;
  const base::Nanos now = parts_.clock.Realtime();
  const auto put = [&](uint32_t one) {
    auto row = reader().Row(batch, one);
    out.changes.push_back(PutJob{.batch = batch,
                                 .index = one,
                                 .row = Ended(row.ok() ? row->value_or(JobRow{}) : JobRow{}, JobState::kCancelled, reason, now)});
    ++out.counts.cancelled;
  };
  if (index) {
    if (queue_.Take(batch, *index)) {
      out.singles.push_back(*index);
      put(*index);
    }
  } else {
    out.waiting = queue_.TakeAll(batch);
    const Queue::Waiting& waiting = out.waiting;
    if (waiting.first <= waiting.last) {
      out.changes.push_back(PutRange{
          .batch = batch, .first = waiting.first, .last = waiting.last, .row = Ended({}, JobState::kCancelled, reason, now)});
      out.counts.cancelled += static_cast<uint32_t>(waiting.count - waiting.ready.size() - waiting.held.size());
    }
    for (const uint32_t one : waiting.ready) put(one);
    for (const uint32_t one : waiting.held) put(one);
  }
  if (const auto home = homes_.find(batch); home != homes_.end()) {
    for (auto& [one, job] : home->second.jobs) {
      if (!index || *index == one) CancelLive(batch, home->second, one, job, reason, grace, out);
    }
  }
  return out;
}

void Supervisor::PutCancel(uint64_t batch, Cancelling cancelling, Callback<CancelCounts> done) {
  auto changes = std::exchange(cancelling.changes, {});
  Put(std::move(changes), [this, batch, cancelling = std::move(cancelling), done = std::move(done)](const base::Status& status) {
    // Running jobs are ended even when that cannot be recorded now: a full disk must not keep anything alive.
    for (const auto& [key, grace] : cancelling.stopping) (void)parts_.launcher.Cancel(key, grace);
    const Queue::Waiting& waiting = cancelling.waiting;
    if (status.ok()) {
      for (const uint32_t index : cancelling.singles) Told(batch, index, JobState::kCancelled);
      const uint64_t others = waiting.count;
      if (others > 0) {
        const std::lock_guard lock(status_mutex_);
        status_.finished[JobState::kCancelled] += others;
      }
      TellWaiting(batch, waiting);
      for (const auto& [key, grace] : cancelling.stopping) parts_.changes.Publish(batch, key.index);
      RetireIfIdle(batch);
    } else if ((waiting.count > 0 || !cancelling.singles.empty()) && EnsureQueued(batch).ok()) {
      if (waiting.count > 0) queue_.GiveBack(batch, waiting);
      for (const uint32_t index : cancelling.singles) queue_.PutBack(batch, index, false);
    }
    Dispatch();
    const bool recorded = status.ok() || (waiting.count == 0 && cancelling.singles.empty());
    Answer(done, recorded ? base::Ok() : status, cancelling.counts);
  });
  Dispatch();
}

void Supervisor::TellWaiting(uint64_t batch, const Queue::Waiting& waiting) {
  parts_.changes.Publish(batch, 0);
  if (waiting.count > kToldOneByOne) return;
  for (const uint32_t index : waiting.ready) parts_.changes.Publish(batch, index);
  for (const uint32_t index : waiting.held) parts_.changes.Publish(batch, index);
  for (uint32_t index = waiting.first; index <= waiting.last; ++index) parts_.changes.Publish(batch, index);
}

void Supervisor::Cancel(JobSelector jobs, std::string by, std::string reason, std::optional<base::Nanos> grace,
                        Callback<CancelCounts> done) {
  Post([this, jobs = std::move(jobs), by = std::move(by), reason = std::move(reason), grace, done = std::move(done)] {
    const auto batch = FindBatch(jobs);
    if (!batch.ok()) return done(batch.error());
    PutCancel(batch->view.id, CollectCancel(batch->view.id, jobs.index, CancelledByUser(by, reason), grace), done);
  });
}

void Supervisor::Signal(JobSelector jobs, int signal, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), signal, done = std::move(done)] {
    const auto batch = FindBatch(jobs);
    if (!batch.ok()) return done(batch.error());
    uint32_t signalled = 0;
    if (const auto home = homes_.find(batch->view.id); home != homes_.end()) {
      for (const auto& [index, job] : home->second.jobs) {
        if ((jobs.index && *jobs.index != index) || job.stage != Stage::kLaunched) continue;
        const launch::JobKey key{.batch = batch->view.id, .index = index, .attempt = job.row.attempt};
        if (parts_.launcher.Signal(key, signal).ok()) ++signalled;
      }
    }
    done(signalled);
  });
}

base::Status Supervisor::PutState(uint64_t batch, uint32_t index, JobState state, std::vector<Change>& changes) {
  JOBD_ASSIGN_OR_RETURN(const auto known, reader().Row(batch, index));
  JobRow row = known.value_or(JobRow{});
  row.outcome = Outcome{.state = state, .reason = row.outcome.reason};
  changes.push_back(PutJob{.batch = batch, .index = index, .row = std::move(row)});
  return base::Ok();
}

void Supervisor::Hold(JobSelector jobs, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), done = std::move(done)] { HoldNow(jobs, done); });
}

void Supervisor::HoldNow(const JobSelector& jobs, const Callback<uint32_t>& done) {
  const auto found = FindBatch(jobs);
  if (!found.ok()) return done(found.error());
  const uint64_t batch = found->view.id;
  std::vector<Change> changes;
  std::vector<uint32_t> changed;
  uint32_t count = 0;
  const bool was_held = queue_.IsHeld(batch);
  if (jobs.index) {
    if (queue_.HoldJob(batch, *jobs.index)) changed.push_back(*jobs.index);
  } else if (queue_.Has(batch)) {
    if (!was_held) count = static_cast<uint32_t>(queue_.Untouched(batch));
    changed = queue_.Hold(batch);
    changes.push_back(SetHeld{.batch = batch, .held = true});
  }
  for (const uint32_t index : changed) {
    if (auto put = PutState(batch, index, JobState::kHeld, changes); !put.ok()) return done(put.error());
  }
  count += static_cast<uint32_t>(changed.size());
  // Those whose start is still being recorded go back.
  if (const auto home = homes_.find(batch); home != homes_.end()) {
    for (auto& [index, job] : home->second.jobs) {
      if ((jobs.index && *jobs.index != index) || job.stage != Stage::kRecording) continue;
      Unstart(batch, index, job, 0, true);
      ++count;
    }
  }
  Put(std::move(changes), [this, batch, changed, was_held, whole = !jobs.index, count, done](const base::Status& status) {
    if (!status.ok()) {
      if (whole && !was_held) queue_.Release(batch);
      for (const uint32_t index : changed) queue_.ReleaseJob(batch, index);
    }
    parts_.changes.Publish(batch, 0);
    Dispatch();
    Answer(done, status, count);
  });
}

void Supervisor::Release(JobSelector jobs, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), done = std::move(done)] { ReleaseNow(jobs, done); });
}

void Supervisor::ReleaseNow(const JobSelector& jobs, const Callback<uint32_t>& done) {
  const auto found = FindBatch(jobs);
  if (!found.ok()) return done(found.error());
  const uint64_t batch = found->view.id;
  std::vector<Change> changes;
  std::vector<uint32_t> changed;
  uint32_t count = 0;
  const bool was_held = queue_.IsHeld(batch);
  if (jobs.index) {
    if (queue_.ReleaseJob(batch, *jobs.index)) changed.push_back(*jobs.index);
  } else if (queue_.Has(batch)) {
    if (was_held) count = static_cast<uint32_t>(queue_.Untouched(batch));
    changed = queue_.Release(batch);
    changes.push_back(SetHeld{.batch = batch, .held = false});
  }
  for (const uint32_t index : changed) {
    if (auto put = PutState(batch, index, JobState::kQueued, changes); !put.ok()) return done(put.error());
  }
  count += static_cast<uint32_t>(changed.size());
  Put(std::move(changes), [this, batch, changed, was_held, whole = !jobs.index, count, done](const base::Status& status) {
    if (!status.ok()) {
      for (const uint32_t index : changed) queue_.HoldJob(batch, index);
      if (whole && was_held) queue_.Hold(batch);
    }
    parts_.changes.Publish(batch, 0);
    Dispatch();
    Answer(done, status, count);
  });
  // What starts now is recorded behind the release, in the same order.
  Dispatch();
}

void Supervisor::Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), failed_only, done = std::move(done)] { RetryNow(jobs, failed_only, done); });
}

void Supervisor::RetryNow(const JobSelector& jobs, bool failed_only, const Callback<uint32_t>& done) {
  const auto found = FindBatch(jobs);
  if (!found.ok()) return done(found.error());
  const uint64_t batch = found->view.id;
  // A second one would read the rows that the first is about to change, and queue the same jobs twice.
  if (retrying_.contains(batch)) return done(base::Error(base::Code::kAborted, "a retry of this batch is being recorded"));
  std::vector<uint32_t> again;
  std::vector<Change> changes;
  const auto add = [&](uint32_t index, const JobRow& row) {
    const JobState state = row.outcome.state;
    if (!IsFinal(state) || (failed_only && state == JobState::kSucceeded)) return;
    JobRow next = row;
    next.outcome = Outcome{.state = JobState::kQueued};
    next.retries_used = 0;
    again.push_back(index);
    changes.push_back(PutJob{.batch = batch, .index = index, .row = std::move(next), .move = Move::kNewAttempt});
  };
  if (jobs.index) {
    const auto row = reader().Row(batch, *jobs.index);
    if (!row.ok()) return done(row.error());
    if (*row) add(*jobs.index, **row);
  } else {
    for (uint32_t after = 0;;) {
      const auto rows = reader().Rows(batch, after, kRowsAtOnce);
      if (!rows.ok()) return done(rows.error());
      for (const IndexedRow& one : *rows) add(one.index, one.row);
      if (rows->size() < kRowsAtOnce) break;
      after = rows->back().index;
    }
  }
  if (again.empty()) return done(0u);
  if (auto refusal = Refusal(Submitter{.owner = jobs.batch.owner}, again.size())) return done(*refusal);
  queue_.Reserve(jobs.batch.owner, static_cast<int64_t>(again.size()));
  retrying_.insert(batch);
  Put(std::move(changes), [this, batch, owner = jobs.batch.owner, again, done](const base::Status& status) {
    queue_.Reserve(owner, -static_cast<int64_t>(again.size()));
    retrying_.erase(retrying_.find(batch));
    base::Status result = status;
    if (status.ok()) result = EnsureQueued(batch);
    if (result.ok()) {
      for (const uint32_t index : again) {
        const auto home = homes_.find(batch);
        const auto lingering = home == homes_.end() ? decltype(home->second.jobs.end()){} : home->second.jobs.find(index);
        if (home != homes_.end() && lingering != home->second.jobs.end()) {
          lingering->second.requeue = true;  // when its shim is gone
        } else {
          queue_.PutBack(batch, index, false);
        }
        parts_.changes.Publish(batch, index);
      }
    }
    Dispatch();
    Answer(done, result, static_cast<uint32_t>(again.size()));
  });
}

}  // namespace jobd::worker
