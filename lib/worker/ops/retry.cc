#include "worker/ops/retry.h"

#include <utility>

namespace jobd::worker {
namespace {

// Rows that the loop reads in one go, and one commit writes.
constexpr uint32_t kRowsAtOnce = 2000;

}  // namespace

void RetryOp::Post(Engine& engine, JobSelector jobs, bool failed_only, std::optional<base::Error> refusal,
                   Callback<uint32_t> done) {
  const auto op = std::make_shared<RetryOp>(engine, std::move(jobs), failed_only, std::move(refusal), std::move(done));
  engine.loop.Post([op] { op->Run(); });
}

RetryOp::RetryOp(Engine& engine, JobSelector jobs, bool failed_only, std::optional<base::Error> refusal, Callback<uint32_t> done)
    : engine_(engine), jobs_(std::move(jobs)), failed_only_(failed_only), refusal_(std::move(refusal)), done_(std::move(done)) {}

std::optional<base::Error> RetryOp::Refusal(uint64_t jobs) const {
  if (auto refused = engine_.service.Refusal()) return refused;
  if (refusal_) return refusal_;
  if (base::Status room = engine_.enqueuer.CheckRoom(jobs_.batch.owner, jobs); !room.ok()) return std::move(room).error();
  return std::nullopt;
}

bool RetryOp::MayRetry(JobState state) const { return IsFinal(state) && !(failed_only_ && state == JobState::kSucceeded); }

void RetryOp::Run() {
  if (engine_.leases.DeferBehindSubmission(jobs_.batch, [self = shared_from_this()] { self->Run(); })) return;
  const auto found = engine_.leases.Find(jobs_);
  if (!found.ok()) return done_(found.error());
  about_ = *found;
  batch_ = found->view.id;
  // A second one would read the rows that the first is about to change, and queue the same jobs twice.
  if (!engine_.leases.BeginRetry(batch_))
    return done_(base::Error(base::Code::kAborted, "a retry of this batch is being recorded; try again"));
  uint64_t most = 0;
  for (const auto& [state, count] : found->view.counts) {
    if (MayRetry(state)) most += count;
  }
  if (most == 0) return Finish(base::Ok());
  if (jobs_.index) most = 1;
  if (auto refusal = Refusal(most)) return Finish(*refusal);
  reserved_ = static_cast<int64_t>(most);
  engine_.queue.Reserve(jobs_.batch.owner, reserved_);
  NextSlice();
}

// Jobs that have ended stay as they are while the retry goes through them: nothing else moves them but a removal, which waits.
void RetryOp::NextSlice() {
  auto slice = ReadSlice();
  if (!slice.ok()) return Finish(slice.error());
  auto changes = std::exchange(slice->changes, {});
  engine_.journal.Append(std::move(changes), [self = shared_from_this(), slice = std::move(*slice)](base::Status status) {
    self->OnCommitted(slice, std::move(status));
  });
}

base::Result<RetryOp::Slice> RetryOp::ReadSlice() {
  Slice slice;
  if (jobs_.index) {
    JOBD_ASSIGN_OR_RETURN(const auto row, engine_.reader.Row(batch_, *jobs_.index));
    if (row) Add(*jobs_.index, *row, slice);
    return slice;
  }
  JOBD_ASSIGN_OR_RETURN(const auto rows, engine_.reader.Rows(batch_, after_, kRowsAtOnce));
  for (const IndexedRow& one : rows) Add(one.index, one.row, slice);
  slice.last = rows.size() < kRowsAtOnce;
  if (!slice.last) after_ = rows.back().index;
  return slice;
}

void RetryOp::Add(uint32_t index, const JobRow& row, Slice& slice) const {
  if (!MayRetry(row.outcome.state)) return;
  JobRow next = row;
  next.outcome = Outcome{.state = JobState::kQueued};
  next.retries_used = 0;
  next.waits_since = engine_.parts.clock.Realtime();
  slice.again.push_back(index);
  slice.changes.push_back(PutJob{.batch = batch_, .index = index, .row = std::move(next), .move = Move::kNewAttempt});
}

void RetryOp::OnCommitted(const Slice& slice, base::Status status) {
  if (!status.ok()) return Finish(status);
  // Without a look at the store: what is QUEUED on disk must be in the queue, too, whatever can be read by now.
  engine_.enqueuer.Ensure(about_);
  const auto count = static_cast<int64_t>(slice.again.size());
  engine_.queue.Reserve(jobs_.batch.owner, -count);
  reserved_ -= count;
  count_ += static_cast<uint32_t>(count);
  for (const uint32_t index : slice.again) QueueAgain(index);
  if (slice.last) return Finish(base::Ok());
  if (engine_.leases.IsRetryAwaited(batch_)) {
    return Finish(base::Error(base::Code::kAborted, "the batch was cancelled, held or released meanwhile"));
  }
  engine_.dispatcher.Dispatch();
  engine_.loop.Post([self = shared_from_this()] { self->NextSlice(); });
}

void RetryOp::QueueAgain(uint32_t index) {
  if (LiveJob* const job = engine_.table.FindIndex(batch_, index); job != nullptr) {
    // When nothing is left of the attempt before.
    JobRow row = job->row;
    row.outcome = Outcome{.state = JobState::kQueued};
    row.retries_used = 0;  // as it was committed: a hold commits the row again
    engine_.table.Advance(*job, LiveEvent::kRetried, std::move(row));
  } else {
    engine_.queue.Requeue(batch_, index, false);
  }
  engine_.announcer.PublishJob(batch_, index);
}

void RetryOp::Finish(const base::Status& status) {
  engine_.queue.Reserve(jobs_.batch.owner, -reserved_);
  // Whoever waits for this to end is served before anything of it is started.
  engine_.leases.EndRetry(batch_);
  if (engine_.queue.Has(batch_)) engine_.table.RetireIfIdle(batch_);
  engine_.dispatcher.Dispatch();
  done_(status.ok() ? base::Result<uint32_t>(count_) : base::Result<uint32_t>(status.error()));
}

}  // namespace jobd::worker
