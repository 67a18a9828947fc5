#include "worker/run/dispatcher.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "launch/contract/log_index.h"
#include "worker/launcher/launch_build.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// After something the machine lacks: room, descriptors, memory.
constexpr base::Nanos kBackOff = base::kNanosPerSecond;

// The disk's or the machine's fault, not that of what was asked for.
bool MayPass(const base::Error& error) { return error.code() == base::Code::kResourceExhausted || error.sys_errno() == EROFS; }

}  // namespace

void Dispatcher::Open() {
  open_ = true;
  PublishLoad();
}

void Dispatcher::Dispatch() {
  if (!open_ || dispatching_) return;
  dispatching_ = true;  // what fails below calls this again, and is gone on with by the loop here
  while (parts_.service.StartsJobs() && !backing_off_) {
    Slot slot = parts_.pools.Take(Pools::kDefault);
    if (!slot) break;
    const auto pick = parts_.queue.Next();
    if (!pick) break;
    Prepare(*pick, std::move(slot));
  }
  dispatching_ = false;
  if (parts_.table.empty() && parts_.queue.queued() == 0 && !parts_.canceller.IsRecording()) parts_.service.OnIdle();
  PublishLoad();
}

void Dispatcher::PublishLoad() {
  parts_.announcer.PublishLoad({.state = parts_.service.state(),
                                .slots = parts_.pools.slots(Pools::kDefault),
                                .running = parts_.pools.used(Pools::kDefault),
                                .queued = parts_.queue.queued()});
}

void Dispatcher::Prepare(const Queue::Pick& pick, Slot slot) {
  auto row = pick.never_started ? base::Result<std::optional<JobRow>>(std::nullopt) : parts_.reader.Row(pick.batch, pick.index);
  const auto opened = row.ok() ? OpenBatch(pick.batch) : base::Result<LiveBatch*>(row.error());
  if (!opened.ok()) return ReturnPick(pick);
  const LiveBatch& batch = **opened;
  LiveJob job{.row = std::move(*row).value_or(JobRow{}), .slot = std::move(slot)};
  job.row.outcome = Outcome{.state = JobState::kStarting};
  job.row.started_at = job.row.ended_at = 0;
  job.row.usage = {};
  job.key = {.batch = pick.batch, .index = pick.index, .attempt = ++job.row.attempt};
  if (!batch.opened) return FailStart(parts_.table.Add(std::move(job)), "making the batch's folder", batch.open_errno);
  auto spec = parts_.specs.Take(parts_.reader, pick.batch, pick.index, pick.never_started);
  if (!spec.ok() && (MayPass(spec.error()) || spec.error().code() == base::Code::kUnavailable)) return ReturnPick(pick);
  if (!spec.ok()) return FailStart(parts_.table.Add(std::move(job)), "reading what was submitted", EIO);

  job.bounds = BoundsOf(*spec, parts_.limits);
  job.kill_after = KillAfterOf(*spec, parts_.limits);
  job.retries = spec->retries;
  job.picked_at = parts_.clock.Realtime();
  job.request =
      std::make_unique<launch::LaunchRequest>(BuildRequest(job.key, batch.name, batch.job_count, std::move(*spec), parts_.limits));
  const bool expand =
      parts_.leases.IsBeingCompressed(pick.batch) || (job.key.attempt > 1 && parts_.upkeep.IsCompressed(batch.name, pick.index));
  job.state = expand ? LiveState::kPreparing : LiveState::kRecording;
  LiveJob& placed = parts_.table.Add(std::move(job));
  parts_.announcer.PublishLiveState(placed.key, JobState::kScheduled);
  return expand ? Expand(placed) : RecordStart(placed);
}

void Dispatcher::ReturnPick(const Queue::Pick& pick) {
  parts_.queue.Requeue(pick.batch, pick.index, true);
  parts_.table.CloseIfEmpty(pick.batch);
  BackOff();
}

base::Result<LiveBatch*> Dispatcher::OpenBatch(uint64_t batch) {
  LiveBatch* live = parts_.table.FindBatch(batch);
  if (live != nullptr && (live->opened || live->open_errno != 0)) return live;
  if (live == nullptr) {
    JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, parts_.reader.Active(batch));
    JOBD_ASSIGN_OR_RETURN(const int64_t last_seq, parts_.reader.LastStart(batch));
    live = &parts_.table.AddBatch(batch, {.name = about.view.name,
                                          .job_count = about.view.job_count,
                                          .fail_fast = about.view.options.fail_fast,
                                          .last_seq = last_seq});
  }
  const base::Status status = parts_.launcher.Open({.batch = batch, .name = live->name, .job_count = live->job_count});
  live->opened = status.ok();
  if (status.ok()) return live;
  if (MayPass(status.error())) {
    parts_.table.CloseIfEmpty(batch);
    return status.error();
  }
  // Wrong with this batch alone.
  live->open_errno = status.error().sys_errno() != 0 ? status.error().sys_errno() : EIO;
  return live;
}

// Behind whatever the maintenance thread is still compressing of the batch.
void Dispatcher::Expand(const LiveJob& job) {
  const launch::JobKey key = job.key;
  parts_.upkeep.Expand(key, parts_.table.FindBatch(key.batch)->name, [this, key](const base::Status& status) {
    parts_.loop.Post([this, key, status] { OnExpanded(key, status); });
  });
}

void Dispatcher::OnExpanded(launch::JobKey key, const base::Status& status) {
  LiveJob* const job = parts_.table.Find(key);
  if (job == nullptr) return;  // cancelled meanwhile
  if (status.ok()) {
    if ((parts_.table.Advance(*job, LiveEvent::kPrepared).actions & kRecordStart) != 0) RecordStart(*job);
    return;
  }
  if (job->state != LiveState::kPreparing) return;
  if (MayPass(status.error())) return DeferStart(*job);
  const int why = status.error().sys_errno();
  FailStart(*job, "reading the compressed output of earlier attempts", why != 0 ? why : EIO);
  Dispatch();
}

void Dispatcher::RecordStart(LiveJob& job) {
  LiveBatch& batch = *parts_.table.FindBatch(job.key.batch);
  AddStart start{.batch = job.key.batch, .index = job.key.index, .attempt = job.key.attempt};
  // Only grows, whatever the wall clock does.
  start.seq = batch.last_seq = std::max(batch.last_seq + 1, parts_.clock.Realtime());
  if (job.key.attempt > 1) {
    struct stat about {};
    const auto folder = OpenBatchFolder(parts_.log_dir, batch.name);
    if (folder.ok() && ::fstatat(folder->get(), launch::IndexName(job.key.index).c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0) {
      start.log_base = static_cast<uint64_t>(about.st_size) / launch::kIndexRecordSize;
    }
  }
  parts_.journal.Append({PutJob{.batch = job.key.batch, .index = job.key.index, .row = job.row, .must = true}, start},
                        [this, key = job.key](const base::Status& status) { OnRecorded(key, status); });
}

void Dispatcher::OnRecorded(launch::JobKey key, const base::Status& status) {
  LiveJob* const job = parts_.table.Find(key);
  if (job == nullptr || job->state != LiveState::kRecording) return;  // given up meanwhile
  if (!status.ok() && status.error().code() == base::Code::kAborted) return Forget(*job);
  if (!status.ok()) return DeferStart(*job);
  if (!parts_.service.StartsJobs()) {
    JobRow row = job->row;
    row.outcome = Outcome{.state = JobState::kQueued};
    --row.attempt;
    job->request.reset();
    parts_.table.Advance(*job, LiveEvent::kGivenUp, std::move(row));
    return Dispatch();
  }
  if ((parts_.table.Advance(*job, LiveEvent::kRecorded).actions & kLaunch) != 0) Launch(*job);
}

void Dispatcher::Launch(LiveJob& job) {
  parts_.announcer.PublishLiveState(job.key, JobState::kStarting, 0, job.kill_after);
  const auto request = std::move(job.request);
  // The only failure is that what runs the jobs is gone, and this process with it: a restart finds what became of the job.
  (void)parts_.launcher.Start(*request);
}

void Dispatcher::DeferStart(LiveJob& job) {
  job.row.outcome = Outcome{.state = JobState::kQueued};
  parts_.table.Advance(job, LiveEvent::kDeferred);
  BackOff();
  PublishLoad();
}

// Its end is on disk, and has been told, though it was still in the queue: a cancel of the batch that succeeded beside one of the
// job that failed.
void Dispatcher::Forget(LiveJob& job) {
  auto row = parts_.reader.Row(job.key.batch, job.key.index);
  if (!row.ok()) return DeferStart(job);  // found out again
  if (*row) job.row = std::move(**row);
  parts_.table.Advance(job, LiveEvent::kDeferred);
  Dispatch();
}

void Dispatcher::FailStart(LiveJob& job, std::string_view step, int errno_value) {
  const launch::JobKey key = job.key;
  job.request.reset();
  parts_.table.Advance(job, LiveEvent::kGivenUp,
                       Ended(job.row, JobState::kFailed, StartFailed(step, errno_value), parts_.clock.Realtime()));
  parts_.canceller.CancelRestIfFailFast(key.batch, key.index);
}

void Dispatcher::BackOff() {
  if (std::exchange(backing_off_, true)) return;
  parts_.loop.After(kBackOff, [this] {
    backing_off_ = false;
    Dispatch();
  });
}

}  // namespace jobd::worker
