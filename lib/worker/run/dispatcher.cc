// From the queue to the launcher.
#include <sys/stat.h>

#include <algorithm>

#include "launch/contract/log_index.h"
#include "worker/keep/stream_compress.h"
#include "worker/launcher/launch_build.h"
#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// After something the machine lacks (space, descriptors, processes): how long to wait before more of the same is asked of it.
constexpr base::Nanos kBackOff = base::kNanosPerSecond;

// The disk's or the machine's, not that of what was asked for.
bool MayPass(const base::Error& error) {
  return error.code() == base::Code::kUnavailable || error.code() == base::Code::kResourceExhausted;
}

}  // namespace

void Supervisor::Dispatch() {
  if (restoring_ || dispatching_) return;
  dispatching_ = true;  // what fails below comes back here, and is gone on with by the loop
  while (state_ != ServiceState::kStopped && !paused_ && slots_used_ < limits_.max_running) {
    const auto pick = queue_.Next();
    if (!pick) break;
    Prepare(*pick);
  }
  dispatching_ = false;
  Publish();
}

void Supervisor::Prepare(Queue::Pick pick) {
  ++slots_used_;
  const auto row = pick.never_started ? base::Result<std::optional<JobRow>>(std::nullopt) : reader().Row(pick.batch, pick.index);
  const auto home = row.ok() ? OpenHome(pick.batch) : base::Result<Home*>(row.error());
  if (!home.ok()) return Unpick(pick);
  Home& batch = **home;
  JobRow next = row->value_or(JobRow{});
  next.outcome = Outcome{.state = JobState::kStarting};
  ++next.attempt;
  next.started_at = next.ended_at = 0;
  next.usage = {};
  if (!batch.exits) return FailStart(pick.batch, batch, pick.index, std::move(next), "making the batch's folder", batch.open_errno);
  auto spec = specs_.Take(reader(), pick.batch, pick.index, pick.never_started);
  if (!spec.ok() && MayPass(spec.error())) return Unpick(pick);
  if (!spec.ok()) return FailStart(pick.batch, batch, pick.index, std::move(next), "reading what was submitted", EIO);

  Job& job = batch.jobs[pick.index];
  job = Job{.row = std::move(next)};
  job.bounds = BoundsOf(*spec, limits_);
  job.picked_at = parts_.clock.Realtime();
  job.kill_after = KillAfterOf(*spec, limits_);
  job.retries = spec->retries;
  const launch::JobKey key{.batch = pick.batch, .index = pick.index, .attempt = job.row.attempt};
  job.request = std::make_unique<launch::LaunchRequest>(BuildRequest(key, batch.name, batch.job_count, std::move(*spec), limits_));
  Show(key, JobState::kScheduled);
  if (compressing_.contains(pick.batch) || (key.attempt > 1 && HasCompressed(batch.folder.get(), key.index))) {
    return ExpandFirst(key);
  }
  RecordStart(key);
}

void Supervisor::Unpick(Queue::Pick pick) {
  --slots_used_;
  queue_.Requeue(pick.batch, pick.index, true);
  ForgetIfOver(pick.batch, 0);
  Pause();
}

// On the thread `clean`, behind what it may still be compressing of the batch.
void Supervisor::ExpandFirst(launch::JobKey key) {
  Home& home = homes_.at(key.batch);
  home.jobs.at(key.index).expanding = true;
  cleaner_.Post([this, key, name = home.name] {
    auto folder = OpenBatchFolder(parts_.log_dir, name);
    base::Status status = folder.ok() ? ExpandJob(folder->get(), key.index, [this] { return cleaner_.stopping(); })
                                      : base::Status(std::move(folder).error());
    Post([this, key, status = std::move(status)] { OnExpanded(key, status); });
  });
}

void Supervisor::OnExpanded(launch::JobKey key, const base::Status& status) {
  Job* const job = FindJob(key);
  // Cancelled in the meantime; or queued again since, and then the first of the two expansions was enough.
  if (job == nullptr || job->stage != Stage::kRecording || !std::exchange(job->expanding, false)) return;
  if (status.ok()) return RecordStart(key);
  const int why = status.error().sys_errno();
  if (status.error().code() == base::Code::kResourceExhausted || why == EROFS) return PutOff(key, *job);
  FailStart(key.batch, homes_.at(key.batch), key.index, job->row, "reading the compressed output of earlier attempts",
            why != 0 ? why : EIO);
}

void Supervisor::RecordStart(launch::JobKey key) {
  Home& batch = homes_.at(key.batch);
  const Job& job = batch.jobs.at(key.index);
  AddStart start{.batch = key.batch, .index = key.index, .attempt = key.attempt};
  // Only grows, whatever the wall clock does.
  start.seq = batch.last_seq = std::max(batch.last_seq + 1, parts_.clock.Realtime());
  if (key.attempt > 1) {
    struct stat about {};
    if (::fstatat(batch.folder.get(), launch::IndexName(key.index).c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0) {
      start.log_base = static_cast<uint64_t>(about.st_size) / launch::kIndexRecordSize;
    }
  }
  Put({PutJob{.batch = key.batch, .index = key.index, .row = job.row}, start},
      [this, key](const base::Status& status) { OnRecorded(key, status); });
}

void Supervisor::FailStart(uint64_t batch, Home& home, uint32_t index, JobRow row, std::string_view step, int errno_value) {
  row.outcome = Outcome{.state = JobState::kFailed, .reason = StartFailed(step, errno_value)};
  row.ended_at = parts_.clock.Realtime();
  Job& job = home.jobs[index];
  job = Job{.row = row};
  Finish(batch, home, index, std::move(row));
}

base::Result<Supervisor::Home*> Supervisor::OpenHome(uint64_t batch) {
  if (const auto known = homes_.find(batch); known != homes_.end()) return &known->second;
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, reader().Active(batch));
  JOBD_ASSIGN_OR_RETURN(const int64_t last_seq, reader().LastStart(batch));
  Home home{
      .name = about.view.name, .job_count = about.view.job_count, .fail_fast = about.view.options.fail_fast, .last_seq = last_seq};
  auto open = [&]() -> base::Status {
    JOBD_ASSIGN_OR_RETURN(home.folder, MakeBatchFolder(parts_.log_dir, home.name));
    JOBD_ASSIGN_OR_RETURN(home.exits, launch::OpenExitFile(home.folder.get(), home.job_count));
    return base::Ok();
  };
  if (const base::Status opened = open(); !opened.ok()) {
    // The disk's, and may pass: what is accepted is kept until then. Anything else is wrong with this batch alone.
    if (opened.error().code() == base::Code::kResourceExhausted || opened.error().sys_errno() == EROFS) return opened.error();
    home.open_errno = opened.error().sys_errno();
  }
  Home& placed = homes_.emplace(batch, std::move(home)).first->second;
  WatchExits(batch, placed);
  return &placed;
}

void Supervisor::WatchExits(uint64_t batch, Home& home) {
  if (!home.exits) return;
  auto watch = file_events_->WatchFile(home.folder.get(), launch::kExitFileName,
                                       [this, batch](std::string_view) { written_.insert(batch); });
  // Without a watch (the user's inotify limits are used up) the launcher still tells when a shim is gone: ends are only seen later.
  if (watch.ok()) home.watch = std::move(*watch);
}

void Supervisor::AwaitSlots() {
  slot_events_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    file_events_->Dispatch();
    // One look for however many events came before it.
    for (const uint64_t batch : std::exchange(written_, {})) LookAtSlots(batch);
    AwaitSlots();
  });
}

void Supervisor::OnRecorded(launch::JobKey key, const base::Status& status) {
  Job* const job = FindJob(key);
  if (job == nullptr || job->stage != Stage::kRecording) return;  // cancelled in the meantime
  if (!status.ok()) return PutOff(key, *job);
  if (state_ == ServiceState::kStopped) {
    Unstart(key.batch, key.index, *job, 0);
    return;
  }
  job->stage = Stage::kLaunched;
  job->launched = true;
  Show(key, JobState::kStarting);
  // The only failure is that the launcher is gone, and this process with it: a restart finds what became of the job.
  (void)parts_.launcher.Launch(*job->request);
  job->request.reset();
}

void Supervisor::PutOff(launch::JobKey key, Job& job) {
  FreeSlot(key.batch, job);
  parts_.live.Erase(key.batch, key.index);
  homes_.at(key.batch).jobs.erase(key.index);
  queue_.Requeue(key.batch, key.index, false);
  ForgetIfOver(key.batch, 0);
  Pause();
  Publish();
}

void Supervisor::Pause() {
  if (paused_) return;
  paused_ = true;
  Later(kBackOff, [this] {
    paused_ = false;
    Dispatch();
  });
}

void Supervisor::FreeSlot(uint64_t batch, Job& job) {
  if (!job.holds_slot) return;
  job.holds_slot = false;
  --slots_used_;
  queue_.Done(batch);
}

}  // namespace jobd::worker
