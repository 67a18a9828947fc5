// What clients ask of batches that are there: cancel and signal.
#include <algorithm>

#include "worker/model/admission.h"
#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// Watchers are told of so many jobs by name; of more, that the batch changed.
constexpr uint64_t kToldOneByOne = 1000;

}  // namespace

base::Result<ActiveBatch> Supervisor::FindBatch(const JobSelector& jobs) {
  JOBD_ASSIGN_OR_RETURN(const uint64_t id, reader().Find(jobs.batch, false));
  if (removing_.contains(id)) return base::Error(base::Code::kNotFound, "no such batch");
  JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, reader().Active(id));
  if (jobs.index && (*jobs.index == 0 || *jobs.index > batch.view.job_count)) {
    return base::Error(base::Code::kNotFound, "no such job");
  }
  return batch;
}

Queue::Batch Supervisor::QueueEntryOf(const ActiveBatch& batch) {
  return {.id = batch.view.id,
          .owner = batch.view.name.owner,
          .priority = batch.view.options.priority,
          .job_count = batch.view.job_count,
          .parallel = batch.view.options.parallel,
          .held = batch.held};
}

base::Status Supervisor::EnsureQueued(uint64_t batch) {
  if (queue_.Has(batch)) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, reader().Active(batch));
  queue_.AddEmpty(QueueEntryOf(about));
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

void Supervisor::GiveBack(uint64_t batch, const Cancelling& cancelling) {
  if (cancelling.waiting.count > 0) queue_.Restore(batch, cancelling.waiting);
  if (cancelling.single == 0) return;
  queue_.Requeue(batch, cancelling.single, false);
  if (cancelling.single_held) queue_.HoldJob(batch, cancelling.single);
}

Supervisor::Cancelling Supervisor::CollectCancel(uint64_t batch, std::optional<uint32_t> index, const Reason& reason,
                                                 std::optional<base::Nanos> grace) {
  Cancelling out;
  const base::Nanos now = parts_.clock.Realtime();
  const auto put = [&](uint32_t one) -> base::Status {
    JOBD_ASSIGN_OR_RETURN(const auto row, reader().Row(batch, one));
    out.changes.push_back(
        PutJob{.batch = batch, .index = one, .row = Ended(row.value_or(JobRow{}), JobState::kCancelled, reason, now)});
    ++out.counts.cancelled;
    return base::Ok();
  };
  if (index) {
    out.single_held = queue_.IsJobHeld(batch, *index);
    if (queue_.Dequeue(batch, *index)) {
      out.single = *index;
      if (base::Status read = put(*index); !read.ok()) out.failure = std::move(read).error();
    }
  } else {
    out.waiting = queue_.DequeueAll(batch);
    const Queue::Waiting& waiting = out.waiting;
    if (waiting.first <= waiting.last) {
      out.changes.push_back(PutRange{
          .batch = batch, .first = waiting.first, .last = waiting.last, .row = Ended({}, JobState::kCancelled, reason, now)});
      out.counts.cancelled += static_cast<uint32_t>(waiting.count - waiting.ready.size() - waiting.held.size());
    }
    for (const auto* marked : {&waiting.ready, &waiting.held}) {
      for (const uint32_t one : *marked) {
        if (out.failure) break;
        if (base::Status read = put(one); !read.ok()) out.failure = std::move(read).error();
      }
    }
  }
  if (out.failure) {
    // A row made of nothing would forget what the job's earlier attempts were: what waits, waits on.
    GiveBack(batch, out);
    out = Cancelling{.failure = std::move(out.failure)};
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
      if (cancelling.single != 0) Told(batch, cancelling.single, Outcome{.state = JobState::kCancelled});
      const uint64_t others = waiting.count;
      if (others > 0) {
        {
          const std::lock_guard lock(status_mutex_);
          status_.finished[JobState::kCancelled] += others;
        }
        parts_.observer.OnEnded(NameOf(batch), 0, Outcome{.state = JobState::kCancelled}, others);
      }
      TellWaiting(batch, waiting);
      for (const auto& [key, grace] : cancelling.stopping) parts_.changes.Publish(batch, key.index);
      RetireIfIdle(batch);
    } else if ((waiting.count > 0 || cancelling.single != 0) && EnsureQueued(batch).ok()) {
      GiveBack(batch, cancelling);
    }
    Dispatch();
    const bool recorded = status.ok() || (waiting.count == 0 && cancelling.single == 0);
    if (!recorded) return done(status.error());
    if (cancelling.failure) return done(*cancelling.failure);
    done(cancelling.counts);
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
    const auto again = [this, jobs, by, reason, grace, done] { Cancel(jobs, by, reason, grace, done); };
    if (BehindRetry(batch->view.id, again)) return;
    PutCancel(batch->view.id, CollectCancel(batch->view.id, jobs.index, CancelledByUser(by, reason), grace), done);
  });
}

void Supervisor::Signal(JobSelector jobs, int signal, Callback<uint32_t> done) {
  Post([this, jobs = std::move(jobs), signal, done = std::move(done)] {
    const auto batch = FindBatch(jobs);
    if (!batch.ok()) return done(batch.error());
    uint32_t signalled = 0;
    LookAtSlots(batch->view.id);  // some may have got a program since
    if (const auto home = homes_.find(batch->view.id); home != homes_.end()) {
      for (const auto& [index, job] : home->second.jobs) {
        // One that is being started has no program yet that could take it.
        if ((jobs.index && *jobs.index != index) || job.stage != Stage::kLaunched || !job.exec_seen) continue;
        const launch::JobKey key{.batch = batch->view.id, .index = index, .attempt = job.row.attempt};
        if (parts_.launcher.Signal(key, signal).ok()) ++signalled;
      }
    }
    done(signalled);
  });
}

}  // namespace jobd::worker
