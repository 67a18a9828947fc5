#include "worker/ops/hold.h"

#include <utility>

#include "worker/model/index_range.h"

namespace jobd::worker {

void HoldOp::Post(Engine& engine, Kind kind, JobSelector jobs, std::string by, Callback<uint32_t> done) {
  const auto op = std::make_shared<HoldOp>(engine, kind, std::move(jobs), std::move(by), std::move(done));
  engine.loop.Post([op] { op->Run(); });
}

HoldOp::HoldOp(Engine& engine, Kind kind, JobSelector jobs, std::string by, Callback<uint32_t> done)
    : engine_(engine), kind_(kind), jobs_(std::move(jobs)), by_(std::move(by)), done_(std::move(done)) {}

void HoldOp::Run() {
  const auto again = [self = shared_from_this()] { self->Run(); };
  if (engine_.leases.DeferBehindSubmission(jobs_.batch, again)) return;
  const auto found = engine_.leases.Find(jobs_);
  if (!found.ok()) return done_(found.error());
  batch_ = found->view.id;
  if (engine_.leases.DeferBehindRetry(batch_, again)) return;
  now_ = engine_.parts.clock.Realtime();
  if (!engine_.leases.BeginHold(batch_)) {
    return done_(base::Error(base::Code::kAborted, "a hold or release of this batch is being recorded; try again"));
  }
  whole_ = !jobs_.index && engine_.queue.Has(batch_);
  was_held_ = engine_.queue.IsHeld(batch_);
  const base::Status done = kind_ == Kind::kHold ? Hold() : Release();
  if (!done.ok()) {
    engine_.leases.EndHold(batch_);
    return done_(done.error());
  }
  engine_.journal.Append(std::move(changes_),
                         [self = shared_from_this()](const base::Status& status) { self->OnCommitted(status); });
  engine_.dispatcher.Dispatch();
}

base::Status HoldOp::MoveSetApart(JobState state) {
  count_ += static_cast<uint32_t>(set_apart_.size());
  if (whole_) {
    for (const IndexRange& range : RangesOf(set_apart_)) {
      changes_.push_back(
          MoveWaiting{.batch = batch_, .first = range.first, .last = range.last, .to = state, .reason = {}, .by = by_, .at = now_});
    }
    return base::Ok();
  }
  // One alone may have no row yet, and needs one of its own.
  for (const uint32_t index : set_apart_) {
    JOBD_ASSIGN_OR_RETURN(const auto known, engine_.reader.Row(batch_, index));
    JobRow row = known.value_or(JobRow{});
    row.outcome = Outcome{.state = state, .reason = row.outcome.reason};
    Mark(row);
    changes_.push_back(PutJob{.batch = batch_, .index = index, .row = std::move(row)});
  }
  return base::Ok();
}

void HoldOp::Mark(JobRow& row) const {
  row.waits_since = now_;
  row.held_by = row.outcome.state == JobState::kHeld ? by_ : std::string();
}

base::Status HoldOp::Hold() {
  Queue& queue = engine_.queue;
  if (whole_) {
    set_apart_ = queue.ExceptionsIn(batch_, false);
  } else if (jobs_.index && queue.HoldJob(batch_, *jobs_.index)) {
    set_apart_ = {*jobs_.index};
  }
  if (base::Status moved = MoveSetApart(JobState::kHeld); !moved.ok()) {
    UndoHold();
    return moved;
  }
  if (whole_) {
    if (!was_held_) count_ += static_cast<uint32_t>(queue.NeverStarted(batch_));
    changes_.push_back(SetHeld{.batch = batch_, .held = true, .by = by_, .at = now_});
    queue.SetHeld(batch_, true);
    for (const uint32_t index : set_apart_) queue.HoldJob(batch_, index);
  }
  ChangeLive(JobState::kQueued, JobState::kHeld);
  return base::Ok();
}

base::Status HoldOp::Release() {
  Queue& queue = engine_.queue;
  if (whole_) {
    set_apart_ = queue.ExceptionsIn(batch_, true);
  } else if (jobs_.index && queue.IsJobHeld(batch_, *jobs_.index)) {
    set_apart_ = {*jobs_.index};
  }
  JOBD_RETURN_IF_ERROR(MoveSetApart(JobState::kQueued));
  if (whole_) {
    if (was_held_) count_ += static_cast<uint32_t>(queue.NeverStarted(batch_));
    changes_.push_back(SetHeld{.batch = batch_, .held = false, .by = {}, .at = now_});
  }
  ChangeLive(JobState::kHeld, JobState::kQueued);
  return base::Ok();
}

void HoldOp::ChangeLive(JobState from, JobState to) {
  LiveBatch* const live = engine_.table.FindBatch(batch_);
  if (live == nullptr) return;
  for (auto& [index, job] : live->jobs) {
    if (jobs_.index && *jobs_.index != index) continue;
    if (IsWithLauncher(job.state)) {
      const bool hold = to == JobState::kHeld;
      if (std::exchange(job.hold_next, hold) == hold) continue;
      running_.push_back(job.key);
      if (hold) job.row.held_by = by_;
      changes_.push_back(SetHoldNext{.batch = batch_, .index = index, .hold = hold, .by = job.row.held_by});
      continue;
    }
    // A start that is being recorded is taken back. There is none to release.
    const bool give_up = IsBeforeStart(job.state) && to == JobState::kHeld;
    if (!give_up && !(job.WaitsAgain() && job.row.outcome.state == from)) continue;
    JobRow row = job.row;
    row.outcome = Outcome{.state = to, .reason = give_up ? Reason{} : row.outcome.reason};
    Mark(row);
    if (give_up) {
      row.attempt = job.key.attempt - 1;
      job.request.reset();
    }
    engine_.table.Advance(job, give_up ? LiveEvent::kGivenUp : LiveEvent::kAmended, std::move(row));
    live_.push_back(job.key);
    ++count_;
  }
}

void HoldOp::OnCommitted(const base::Status& status) {
  engine_.leases.EndHold(batch_);
  Queue& queue = engine_.queue;
  if (status.ok() && kind_ == Kind::kRelease) {
    for (const uint32_t index : set_apart_) queue.ReleaseJob(batch_, index);
    if (whole_) queue.SetHeld(batch_, false);
  }
  if (!status.ok()) {
    if (kind_ == Kind::kHold) UndoHold();
    UndoLive();
  }
  engine_.announcer.PublishBatch(batch_);
  engine_.dispatcher.Dispatch();
  done_(status.ok() ? base::Result<uint32_t>(count_) : base::Result<uint32_t>(status.error()));
}

void HoldOp::UndoHold() {
  if (whole_) engine_.queue.SetHeld(batch_, was_held_);
  for (const uint32_t index : set_apart_) engine_.queue.ReleaseJob(batch_, index);
}

// What could not be recorded is offered to the disk again by itself: it must be what was before.
void HoldOp::UndoLive() {
  const bool held = kind_ == Kind::kHold;
  const JobState set = held ? JobState::kHeld : JobState::kQueued;
  const JobState before = held ? JobState::kQueued : JobState::kHeld;
  const auto undo = [&](LiveJob& job) {
    JobRow row = job.row;
    row.outcome.state = before;
    engine_.table.Advance(job, LiveEvent::kAmended, std::move(row));
  };
  for (const launch::JobKey& key : live_) {
    LiveJob* const job = engine_.table.Find(key);
    if (job == nullptr || !IsOver(job->state) || job->row.outcome.state != set || job->state == LiveState::kDraining) continue;
    undo(*job);
  }
  for (const launch::JobKey& key : running_) {
    LiveJob* const job = engine_.table.Find(key);
    if (job == nullptr) continue;
    job->hold_next = !held;
    // Its attempt ended meanwhile, and it waits as it was marked.
    if (IsOver(job->state) && job->row.outcome.state == set) undo(*job);
  }
}

}  // namespace jobd::worker
