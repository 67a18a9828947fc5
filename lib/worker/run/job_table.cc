#include "worker/run/job_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace jobd::worker {

LiveBatch* JobTable::FindBatch(uint64_t batch) {
  const auto found = batches_.find(batch);
  return found == batches_.end() ? nullptr : &found->second;
}

LiveJob* JobTable::FindIndex(uint64_t batch, uint32_t index) {
  LiveBatch* const of = FindBatch(batch);
  if (of == nullptr) return nullptr;
  const auto found = of->jobs.find(index);
  return found == of->jobs.end() ? nullptr : &found->second;
}

LiveJob* JobTable::Find(launch::JobKey key) {
  LiveJob* const job = FindIndex(key.batch, key.index);
  return job != nullptr && job->key.attempt == key.attempt ? job : nullptr;
}

base::Result<LiveBatch*> JobTable::FindOrRead(LiveReader& reader, uint64_t batch) {
  if (LiveBatch* const live = FindBatch(batch); live != nullptr) return live;
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, reader.Active(batch));
  JOBD_ASSIGN_OR_RETURN(const int64_t last_seq, reader.LastStart(batch));
  LiveBatch& added = batches_[batch];
  added.name = about.view.name;
  added.job_count = about.view.job_count;
  added.fail_fast = about.view.options.fail_fast;
  added.created_at = about.view.created_at;
  added.last_seq = last_seq;
  parts_.announcer.OpenBatch(added.name, batch);
  return &added;
}

LiveJob& JobTable::Add(LiveJob job) {
  const launch::JobKey key = job.key;
  return batches_.at(key.batch).jobs.insert_or_assign(key.index, std::move(job)).first->second;
}

LiveStep JobTable::Advance(LiveJob& job, LiveEvent event, JobRow row) {
  // An event that is late or must not be changes nothing: the row of a job that it does not move stays what it was.
  if (NextStep(job.state, event).kind == LiveStep::Kind::kMove) job.row = std::move(row);
  return Advance(job, event);
}

LiveStep JobTable::Advance(LiveJob& job, LiveEvent event) {
  const LiveStep step = NextStep(job.state, event);
  assert(step.kind != LiveStep::Kind::kNever);
  if (step.kind != LiveStep::Kind::kMove) return step;
  job.state = step.next;
  if ((step.actions & kFreeSlot) != 0) FreeSlot(job);
  if ((step.actions & kCommitRow) != 0) CommitRow(job);
  if ((step.actions & kTellStart) != 0) TellStart(job);
  if ((step.actions & kTellRow) != 0) TellRow(job);
  if ((step.actions & kForget) != 0) Forget(job.key);
  return step;
}

void JobTable::FreeSlot(LiveJob& job) {
  if (!job.slot) return;
  job.slot = Slot();
  parts_.queue.Done(job.key.batch);
}

void JobTable::CommitRow(const LiveJob& job) {
  parts_.journal.AppendRow(job.key, job.row, [this, key = job.key] {
    LiveJob* const saved = Find(key);
    if (saved == nullptr) return;
    Advance(*saved, LiveEvent::kSaved);
    parts_.on_room();
  });
}

void JobTable::NoteStart(LiveJob& job, base::Nanos started_at) {
  const base::Nanos picked_at = std::exchange(job.picked_at, 0);
  if (picked_at != 0 && started_at != 0) parts_.announcer.NotifyStarted(std::max<base::Nanos>(started_at - picked_at, 0));
}

void JobTable::TellStart(LiveJob& job) {
  NoteStart(job, job.row.started_at);
  parts_.announcer.PublishLiveState(job.key, JobState::kRunning, job.row.started_at, job.kill_after);
}

void JobTable::TellRow(const LiveJob& job) {
  parts_.announcer.ForgetLiveState(job.key);
  parts_.announcer.NotifyState(batches_.at(job.key.batch).name, job.key, job.row.outcome);
  if (HasEnded(job.key.batch)) parts_.announcer.PublishBatch(job.key.batch);
}

void JobTable::Forget(launch::JobKey key) {
  const auto batch = batches_.find(key.batch);
  const auto found = batch->second.jobs.find(key.index);
  FreeSlot(found->second);
  parts_.announcer.ForgetLiveState(key);
  const JobState next = found->second.row.outcome.state;
  batch->second.jobs.erase(found);
  if (next == JobState::kQueued || next == JobState::kHeld) {
    parts_.queue.Requeue(key.batch, key.index, false);
    if (next == JobState::kHeld) parts_.queue.HoldJob(key.batch, key.index);
  }
  CloseIfEmpty(key.batch);
  RetireIfIdle(key.batch);
}

void JobTable::CloseIfEmpty(uint64_t batch) {
  const auto found = batches_.find(batch);
  if (found == batches_.end() || !found->second.jobs.empty()) return;
  parts_.announcer.CloseBatch(found->second.name);
  batches_.erase(found);
  parts_.launcher.Close(batch);
  parts_.specs.Forget(batch);
}

void JobTable::RetireIfIdle(uint64_t batch) {
  if (batches_.contains(batch) || parts_.queue.QueuedIn(batch) > 0) return;
  parts_.queue.Remove(batch);
  parts_.upkeep.OnBatchEnded();
}

bool JobTable::HasEnded(uint64_t batch) const {
  if (parts_.queue.QueuedIn(batch) > 0) return false;
  const auto found = batches_.find(batch);
  return found == batches_.end() || std::all_of(found->second.jobs.begin(), found->second.jobs.end(), [](const auto& one) {
           const LiveState state = one.second.state;
           return (state == LiveState::kDraining || state == LiveState::kGone) && IsFinal(one.second.row.outcome.state);
         });
}

}  // namespace jobd::worker
