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
constexpr const char* kMakingTheFolder = "making the batch's folder";
constexpr const char* kOthersFolder =
    "making the batch's folder, which holds another batch's records (jobd --recover takes them in)";

constexpr const char* kStateDisk = "state";
constexpr const char* kLogDisk = "log";

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
                                .state_by = parts_.service.by(),
                                .state_since = parts_.service.since(),
                                .slots = parts_.pools.slots(Pools::kDefault),
                                .running = parts_.pools.used(Pools::kDefault),
                                .queued = parts_.queue.queued()});
}

void Dispatcher::Prepare(const Queue::Pick& pick, Slot slot) {
  auto row = pick.never_started ? base::Result<std::optional<JobRow>>(std::nullopt) : parts_.reader.Row(pick.batch, pick.index);
  const auto found = row.ok() ? parts_.table.FindOrRead(parts_.reader, pick.batch) : base::Result<LiveBatch*>(row.error());
  if (!found.ok()) return ReturnPick(pick, kStateDisk);
  LiveBatch& batch = **found;
  LiveJob job{.row = std::move(*row).value_or(JobRow{}), .slot = std::move(slot)};
  job.row.outcome = Outcome{.state = JobState::kStarting};
  job.row.started_at = job.row.ended_at = 0;
  job.row.usage = {};
  job.key = {.batch = pick.batch, .index = pick.index, .attempt = ++job.row.attempt};
  if (batch.open_errno != 0) return FailStart(parts_.table.Add(std::move(job)), batch.open_step, batch.open_errno);
  auto spec = parts_.specs.Take(parts_.reader, pick.batch, pick.index, pick.never_started);
  if (!spec.ok() && (MayPass(spec.error()) || spec.error().code() == base::Code::kUnavailable)) {
    return ReturnPick(pick, kStateDisk);
  }
  if (!spec.ok()) return FailStart(parts_.table.Add(std::move(job)), "reading what was submitted", EIO);

  job.bounds = BoundsOf(*spec, parts_.limits);
  job.kill_after = KillAfterOf(*spec, parts_.limits);
  job.retries = spec->retries;
  job.picked_at = parts_.clock.Realtime();
  job.request =
      std::make_unique<launch::LaunchRequest>(BuildRequest(job.key, batch.name, batch.job_count, std::move(*spec), parts_.limits));
  const bool looks = NeedsLook(job);
  job.state = looks || !batch.opened ? LiveState::kPreparing : LiveState::kRecording;
  LiveJob& placed = parts_.table.Add(std::move(job));
  parts_.announcer.PublishLiveState(placed.key, JobState::kScheduled);
  if (!batch.opened) return OpenBatch(batch, placed.key);
  return looks ? Look(placed) : RecordStart(placed);
}

void Dispatcher::ReturnPick(const Queue::Pick& pick, const char* disk) {
  parts_.queue.Requeue(pick.batch, pick.index, true);
  parts_.table.CloseIfEmpty(pick.batch);
  BackOff(disk);
}

// Jobs of the batch that come meanwhile wait with the first.
void Dispatcher::OpenBatch(LiveBatch& batch, launch::JobKey first) {
  batch.opening.push_back(first);
  if (batch.opening.size() > 1) return;
  const BatchPlace place{.batch = first.batch,
                         .name = batch.name,
                         .job_count = batch.job_count,
                         .untouched_since = batch.last_seq == 0 ? batch.created_at : 0};
  parts_.launcher.Open(place, [this, id = first.batch](const base::Status& status) { OnOpened(id, status); });
}

void Dispatcher::OnOpened(uint64_t id, const base::Status& status) {
  LiveBatch* const batch = parts_.table.FindBatch(id);
  if (batch == nullptr) return parts_.launcher.Close(id);  // all of it was given up meanwhile
  batch->opened = batch->opened || status.ok();
  // Wrong with this batch alone.
  const bool broken = !batch->opened && !MayPass(status.error());
  if (broken) {
    batch->open_errno = status.error().sys_errno() != 0 ? status.error().sys_errno() : EIO;
    batch->open_step = status.error().code() == base::Code::kDataLoss ? kOthersFolder : kMakingTheFolder;
  }
  const int why = batch->open_errno;
  const std::string_view step = batch->open_step;
  for (const launch::JobKey& key : std::exchange(batch->opening, {})) {
    // What is done for one of them may end others, or the batch.
    LiveJob* const job = parts_.table.Find(key);
    if (job == nullptr || job->state != LiveState::kPreparing) continue;
    if (status.ok()) {
      NeedsLook(*job) ? Look(*job) : OnPrepared(*job);
    } else if (broken) {
      FailStart(*job, step, why);
    } else {
      DeferStart(*job, kLogDisk);
    }
  }
  Dispatch();
}

// Earlier attempts have left something that this one appends to.
bool Dispatcher::NeedsLook(const LiveJob& job) const {
  return job.key.attempt > 1 || parts_.leases.IsBeingCompressed(job.key.batch);
}

void Dispatcher::Look(const LiveJob& job) {
  const launch::JobKey key = job.key;
  parts_.loop.OnLogDisk([this, &upkeep = parts_.upkeep, &loop = parts_.loop, dir = parts_.log_dir, key,
                         name = parts_.table.FindBatch(key.batch)->name] {
    struct stat about {};
    const auto folder = OpenBatchFolder(dir, name);
    const bool there =
        folder.ok() && ::fstatat(folder->get(), launch::IndexName(key.index).c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0;
    const uint64_t records = there ? static_cast<uint64_t>(about.st_size) / launch::kIndexRecordSize : 0;
    loop.Post([this, key, records, compressed = upkeep.IsCompressed(name, key.index)] { OnLooked(key, records, compressed); });
  });
}

void Dispatcher::OnLooked(launch::JobKey key, uint64_t records, bool compressed) {
  LiveJob* const job = parts_.table.Find(key);
  if (job == nullptr || job->state != LiveState::kPreparing) return;  // given up meanwhile
  job->log_base = records;
  if (compressed || parts_.leases.IsBeingCompressed(key.batch)) return Expand(*job);
  OnPrepared(*job);
}

void Dispatcher::OnPrepared(LiveJob& job) {
  if ((parts_.table.Advance(job, LiveEvent::kPrepared).actions & kRecordStart) != 0) RecordStart(job);
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
  if (status.ok()) return OnPrepared(*job);
  if (job->state != LiveState::kPreparing) return;
  if (MayPass(status.error())) return DeferStart(*job, kLogDisk);
  const int why = status.error().sys_errno();
  FailStart(*job, "reading the compressed output of earlier attempts", why != 0 ? why : EIO);
  Dispatch();
}

void Dispatcher::RecordStart(LiveJob& job) {
  LiveBatch& batch = *parts_.table.FindBatch(job.key.batch);
  AddStart start{.batch = job.key.batch, .index = job.key.index, .attempt = job.key.attempt};
  // Only grows, whatever the wall clock does.
  start.seq = batch.last_seq = std::max(batch.last_seq + 1, parts_.clock.Realtime());
  start.log_base = job.log_base;
  parts_.journal.Append({PutJob{.batch = job.key.batch, .index = job.key.index, .row = job.row, .must = true}, start},
                        [this, key = job.key](const base::Status& status) { OnRecorded(key, status); });
}

void Dispatcher::OnRecorded(launch::JobKey key, const base::Status& status) {
  LiveJob* const job = parts_.table.Find(key);
  if (job == nullptr || job->state != LiveState::kRecording) return;  // given up meanwhile
  if (!status.ok() && status.error().code() == base::Code::kAborted) return Forget(*job);
  if (!status.ok()) return DeferStart(*job, kStateDisk);
  lack_.reset();
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

void Dispatcher::DeferStart(LiveJob& job, const char* disk) {
  job.row.outcome = Outcome{.state = JobState::kQueued};
  parts_.table.Advance(job, LiveEvent::kDeferred);
  BackOff(disk);
  PublishLoad();
}

// Its end is on disk, and has been told, though it was still in the queue: a cancel of the batch that succeeded beside one of the
// job that failed.
void Dispatcher::Forget(LiveJob& job) {
  auto row = parts_.reader.Row(job.key.batch, job.key.index);
  if (!row.ok()) return DeferStart(job, kStateDisk);  // found out again
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

std::optional<Dispatcher::Lack> Dispatcher::FindLack() const {
  const bool lasts = backing_off_ || parts_.clock.Monotonic() - backed_off_last_ < 2 * kBackOff;
  return lasts ? lack_ : std::nullopt;
}

void Dispatcher::BackOff(const char* disk) {
  // What fails again after a rest has failed all the time.
  const auto known = FindLack();
  lack_ = {.disk = disk, .since = known ? known->since : parts_.clock.Realtime()};
  backed_off_last_ = parts_.clock.Monotonic();
  if (std::exchange(backing_off_, true)) return;
  parts_.loop.After(kBackOff, [this] {
    backing_off_ = false;
    Dispatch();
  });
}

}  // namespace jobd::worker
