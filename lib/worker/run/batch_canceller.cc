#include "worker/run/batch_canceller.h"

#include <memory>
#include <string>
#include <utility>

#include "worker/model/index_range.h"

namespace jobd::worker {
namespace {

// Watchers are told of so many jobs by index; of more, that the batch changed.
constexpr uint64_t kToldOneByOne = 1000;
// How often what could not be recorded is offered to the disk again.
constexpr base::Nanos kOfferAgain = base::kNanosPerSecond;
// Before anybody is told that it will be recorded later.
constexpr base::Nanos kKeepReasonAfter = base::kNanosPerSecond / 2;

// The disk's fault, which may pass; not that of what was to be written.
bool MayComeBack(const base::Error& error) {
  return error.code() == base::Code::kResourceExhausted || error.code() == base::Code::kUnavailable;
}

base::Error NotRecorded(const CancelCounts& counts, const base::Error& why) {
  return base::Error(why.code(), why.message() + ": " + std::to_string(counts.stopping) + " running jobs were told to end, and " +
                                     std::to_string(counts.cancelled) +
                                     " that wait do not start; that they are cancelled is recorded when the disk takes it, and "
                                     "forgotten if jobd is restarted before");
}

}  // namespace

void BatchCanceller::CancelAll(uint64_t batch, std::optional<uint32_t> index, Reason reason, std::optional<base::Nanos> grace,
                               Callback<CancelCounts> done, Keys told) {
  // Filled in below, when it turns out that there is something to wait for.
  const auto before = std::make_shared<Keys>(std::move(told));
  const auto again = [this, batch, index, reason, grace, done, before] { CancelAll(batch, index, reason, grace, done, *before); };
  if (parts_.leases.DeferBehindRetry(batch, again)) return before->merge(TellRunning(batch, index, reason, grace));
  auto cancelling = std::make_shared<Cancelling>(Collect(batch, index, reason, grace, *before));
  if (cancelling->TookFromQueue()) ++recording_;
  KeepReasonSoon(cancelling);
  Record(std::move(cancelling), std::move(done));
  parts_.on_room();
}

BatchCanceller::Keys BatchCanceller::TellRunning(uint64_t batch, std::optional<uint32_t> index, const Reason& reason,
                                                 std::optional<base::Nanos> grace) {
  LiveBatch* const live = parts_.table.FindBatch(batch);
  if (live == nullptr) return {};
  const auto out = std::make_shared<Cancelling>(Cancelling{.batch = batch, .reason = reason});
  for (auto& [one, job] : live->jobs) {
    if ((!index || *index == one) && IsWithLauncher(job.state)) CollectLive(job, reason, grace, {}, *out);
  }
  if (!out->changes.empty()) {
    KeepReasonSoon(out);
    parts_.journal.Append(std::move(out->changes), [this, out](const base::Status& status) {
      out->recorded = status.ok();
      if (!status.ok()) KeepReason(*out);
    });
  }
  return {out->stopping.begin(), out->stopping.end()};
}

void BatchCanceller::KeepReasonSoon(const std::shared_ptr<Cancelling>& cancelling) {
  if (cancelling->asked.empty()) return;
  parts_.loop.After(kKeepReasonAfter, [this, cancelling] { KeepReason(*cancelling); });
}

void BatchCanceller::KeepReason(Cancelling& cancelling) {
  if (cancelling.recorded || cancelling.asked.empty() || std::exchange(cancelling.kept, true)) return;
  const LiveBatch* const live = parts_.table.FindBatch(cancelling.batch);
  if (live == nullptr) return;  // and so all is on disk
  parts_.launcher.KeepReason({.batch = cancelling.batch, .name = live->name, .job_count = live->job_count}, cancelling.asked,
                             cancelling.reason);
}

void BatchCanceller::Record(std::shared_ptr<Cancelling> cancelling, Callback<CancelCounts> done) {
  auto changes = cancelling->changes;  // kept: it may have to be offered again
  parts_.journal.Append(std::move(changes), [this, cancelling = std::move(cancelling), done = std::move(done)](
                                                const base::Status& status) { OnCommitted(cancelling, status, done); });
}

void BatchCanceller::CancelRestIfFailFast(uint64_t batch, uint32_t failed) {
  const LiveBatch* const live = parts_.table.FindBatch(batch);
  if (live == nullptr || !live->fail_fast) return;
  Cancel(batch, std::nullopt, FailFast(failed), std::nullopt, [](const base::Result<CancelCounts>&) {
    // What could not be cancelled is still queued, and is cancelled by the next job of the batch that fails.
  });
}

BatchCanceller::Cancelling BatchCanceller::Collect(uint64_t batch, std::optional<uint32_t> index, const Reason& reason,
                                                   std::optional<base::Nanos> grace, const Keys& told) {
  Cancelling out{.batch = batch, .reason = reason};
  if (base::Status read = CollectWaiting(index, reason, out); !read.ok()) {
    // A row made of nothing would forget what the job's earlier attempts were: what waits, waits on.
    PutBack(out);
    out = Cancelling{.batch = batch, .reason = reason, .failure = std::move(read).error()};
  }
  if (LiveBatch* const live = parts_.table.FindBatch(batch); live != nullptr) {
    for (auto& [one, job] : live->jobs) {
      if (!index || *index == one) CollectLive(job, reason, grace, told, out);
    }
  }
  return out;
}

base::Status BatchCanceller::CollectWaiting(std::optional<uint32_t> index, const Reason& reason, Cancelling& out) {
  const base::Nanos now = parts_.clock.Realtime();
  const auto add = [&](uint32_t one) -> base::Status {
    JOBD_ASSIGN_OR_RETURN(const auto row, parts_.reader.Row(out.batch, one));
    out.changes.push_back(
        PutJob{.batch = out.batch, .index = one, .row = Ended(row.value_or(JobRow{}), JobState::kCancelled, reason, now)});
    ++out.counts.cancelled;
    return base::Ok();
  };
  if (index) {
    out.single_held = parts_.queue.IsJobHeld(out.batch, *index);
    if (!parts_.queue.Dequeue(out.batch, *index)) return base::Ok();
    out.single = *index;
    return add(*index);
  }
  out.waiting = parts_.queue.DequeueAll(out.batch);
  const Queue::Waiting& waiting = out.waiting;
  if (waiting.first <= waiting.last) {
    out.changes.push_back(PutRange{
        .batch = out.batch, .first = waiting.first, .last = waiting.last, .row = Ended({}, JobState::kCancelled, reason, now)});
    out.counts.cancelled += static_cast<uint32_t>(waiting.count - waiting.ready.size() - waiting.held.size());
  }
  for (const auto* exceptions : {&waiting.ready, &waiting.held}) {
    for (const IndexRange& range : RangesOf(*exceptions)) {
      out.changes.push_back(MoveWaiting{.batch = out.batch,
                                        .first = range.first,
                                        .last = range.last,
                                        .to = JobState::kCancelled,
                                        .reason = reason,
                                        .by = {},
                                        .at = now});
      // Those whose start did not come about have no row.
      out.changes.push_back(PutRange{
          .batch = out.batch, .first = range.first, .last = range.last, .row = Ended({}, JobState::kCancelled, reason, now)});
    }
    out.counts.cancelled += static_cast<uint32_t>(exceptions->size());
  }
  return base::Ok();
}

void BatchCanceller::CollectLive(LiveJob& job, const Reason& reason, std::optional<base::Nanos> grace, const Keys& told,
                                 Cancelling& out) {
  if (IsWithLauncher(job.state)) {
    // Each that ends of it asks for the end of the others again: that would be a message for every pair of them.
    if (job.StopWasAsked() && reason.code == ReasonCode::kFailFast) return;
    if (!job.StopWasAsked()) {
      job.stop_reason = reason;
      out.asked.push_back(job.key);
      JobRow row = job.row;
      row.outcome = Outcome{.state = JobState::kStopping, .reason = reason};
      out.changes.push_back(PutJob{.batch = out.batch, .index = job.key.index, .row = std::move(row)});
    }
    parts_.table.Advance(job, LiveEvent::kStopAsked);
    ++out.counts.stopping;
    out.stopping.push_back(job.key);
    if (told.contains(job.key)) return;
    // Before it is recorded, and whether or not it can be: a disk that is full or hangs must not keep anything alive. The
    // launcher's own record says that it was cancelled, should this process end in between.
    (void)parts_.launcher.Cancel(job.key, grace.value_or(job.kill_after));
    return;
  }
  const bool given_up = IsBeforeStart(job.state);
  if (!given_up && !job.WaitsAgain()) return;
  JobRow row = Ended(job.row, JobState::kCancelled, reason, parts_.clock.Realtime());
  if (given_up) row.attempt = job.key.attempt - 1;
  parts_.table.Advance(job, given_up ? LiveEvent::kGivenUp : LiveEvent::kAmended, std::move(row));
  ++out.counts.cancelled;
}

void BatchCanceller::OnCommitted(const std::shared_ptr<Cancelling>& cancelling, const base::Status& status,
                                 const Callback<CancelCounts>& done) {
  const bool took = cancelling->TookFromQueue();
  cancelling->recorded = status.ok();
  if (!status.ok()) KeepReason(*cancelling);
  if (!status.ok() && took && MayComeBack(status.error())) {
    parts_.loop.After(kOfferAgain, [this, cancelling, done] { Record(cancelling, done); });
    if (!std::exchange(cancelling->answered, true)) done(NotRecorded(cancelling->counts, status.error()));
    return;
  }
  if (took) --recording_;
  if (status.ok()) {
    Tell(*cancelling);
    parts_.table.RetireIfIdle(cancelling->batch);
  } else if (took) {
    GiveBack(cancelling);
  }
  parts_.on_room();
  if (cancelling->answered) return;
  if (!status.ok() && took) return done(status.error());
  if (cancelling->failure) return done(*cancelling->failure);
  done(cancelling->counts);
}

void BatchCanceller::Tell(const Cancelling& cancelling) {
  const uint64_t batch = cancelling.batch;
  const Queue::Waiting& waiting = cancelling.waiting;
  if (cancelling.TookFromQueue()) {
    const auto about = parts_.reader.Batch(batch);
    const BatchName name = about.ok() ? about->name : BatchName{};
    if (cancelling.single != 0) {
      parts_.announcer.NotifyState(name, {.batch = batch, .index = cancelling.single}, Outcome{.state = JobState::kCancelled});
    }
    if (waiting.count > 0) parts_.announcer.NotifyCancelled(name, waiting.count);
  }
  parts_.announcer.PublishBatch(batch);
  if (waiting.count <= kToldOneByOne) {
    for (const uint32_t index : waiting.ready) parts_.announcer.PublishJob(batch, index);
    for (const uint32_t index : waiting.held) parts_.announcer.PublishJob(batch, index);
    for (uint32_t index = waiting.first; index <= waiting.last; ++index) parts_.announcer.PublishJob(batch, index);
  }
  for (const launch::JobKey& key : cancelling.stopping) parts_.announcer.PublishJob(batch, key.index);
}

void BatchCanceller::GiveBack(const std::shared_ptr<Cancelling>& cancelling) {
  if (parts_.enqueuer.Ensure(cancelling->batch).ok()) return PutBack(*cancelling);
  // The batch left the queue meanwhile and cannot be read now. What waits must not be forgotten until a restart.
  parts_.loop.After(kOfferAgain, [this, cancelling] {
    GiveBack(cancelling);
    parts_.on_room();
  });
}

void BatchCanceller::PutBack(const Cancelling& cancelling) {
  if (cancelling.waiting.count > 0) parts_.queue.Restore(cancelling.batch, cancelling.waiting);
  if (cancelling.single == 0) return;
  parts_.queue.Requeue(cancelling.batch, cancelling.single, false);
  if (cancelling.single_held) parts_.queue.HoldJob(cancelling.batch, cancelling.single);
}

}  // namespace jobd::worker
