// What a new process makes of what the last one left: every live row is accounted for by its exit slot, by the lock of its shim, or
// by neither.
//
//   exit slot, of this attempt       shim's lock   boot     then
//   ENDED                            -             -        its end is imported
//   anything else                    held          -        watched again
//   none, or of an earlier attempt   free          same     it provably never started: swept, queued again under the same number
//   BORN or RUNNING                  free          same     swept, LOST: its recorder was killed
//   anything but ENDED               free          another  LOST: the machine restarted
//   cannot be read                   free          -        swept, LOST: its record is damaged
//   of a later version               -             -        this server does not start
//
// The old launcher socket was drained before this process was started, so no start can still be on its way.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/thread_name.h"
#include "launch/contract/exit_file.h"
#include "worker/launcher/launch_build.h"
#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kBatchesAtOnce = 1000;
constexpr uint32_t kRowsAtOnce = 10'000;

}  // namespace

base::Status Supervisor::Restore() {
  JOBD_ASSIGN_OR_RETURN(reader_, parts_.store.Read());
  JOBD_ASSIGN_OR_RETURN(file_events_, FileEvents::Create());
  slot_events_.assign(file_events_->fd());
  boot_ = launch::BootTag();
  const std::string boot = std::to_string(boot_);
  JOBD_ASSIGN_OR_RETURN(const auto last_boot, reader().Meta("boot"));
  JOBD_ASSIGN_OR_RETURN(const auto state, reader().Meta("service_state"));
  if (state && *state == "2") state_ = ServiceState::kDraining;
  if (state && *state == "3") state_ = ServiceState::kStopped;

  JOBD_RETURN_IF_ERROR(RestoreQueue(reader()));
  JOBD_RETURN_IF_ERROR(RestoreLive(reader(), last_boot && *last_boot != boot));
  JOBD_RETURN_IF_ERROR(parts_.launcher.Reconciled());
  // Behind what was just decided: whoever restarts before that is committed decides it again, for the same reasons.
  if (!last_boot || *last_boot != boot) {
    Put({PutMeta{.key = "boot", .value = boot}}, [](const base::Status&) {
      // Not stored: the next start takes this boot for another one, and jobs without a record for LOST. That is the safe side.
    });
  }
  restoring_ = false;
  Publish();
  Post([this] {
    Dispatch();
    RetireIfIdle(0);
    Retain();
  });
  AwaitSlots();
  taken_up_ = true;
  thread_ = std::thread([this] {
    base::NameThisThread("loop");
    io_.run();
  });
  return base::Ok();
}

base::Status Supervisor::RestoreQueue(StoreReader& from) {
  for (uint64_t after = 0;;) {
    JOBD_ASSIGN_OR_RETURN(const auto batches, from.Actives(after, kBatchesAtOnce));
    for (const ActiveBatch& batch : batches) JOBD_RETURN_IF_ERROR(RestoreBatch(from, batch));
    if (batches.size() < kBatchesAtOnce) return base::Ok();
    after = batches.back().view.id;
  }
}

base::Status Supervisor::RestoreBatch(StoreReader& from, const ActiveBatch& batch) {
  const uint64_t id = batch.view.id;
  queue_.Add(QueueEntryOf(batch));
  if (batch.max_running > 0) queue_.SetMaxRunning(batch.view.name.owner, batch.max_running);
  if (batch.job_rows == 0) return base::Ok();
  for (uint32_t after = 0;;) {
    JOBD_ASSIGN_OR_RETURN(const auto rows, from.Rows(id, after, kRowsAtOnce));
    for (const IndexedRow& one : rows) {
      queue_.Dequeue(id, one.index);
      const JobState state = one.row.outcome.state;
      if (state != JobState::kQueued && state != JobState::kHeld) continue;
      queue_.Requeue(id, one.index, false);
      if (state == JobState::kHeld) queue_.HoldJob(id, one.index);
    }
    if (rows.size() < kRowsAtOnce) return base::Ok();
    after = rows.back().index;
  }
}

base::Status Supervisor::RestoreLive(StoreReader& from, bool host_restarted) {
  JOBD_ASSIGN_OR_RETURN(const auto live, from.Live(0));
  for (const LiveRow& one : live) JOBD_RETURN_IF_ERROR(RestoreJob(from, one.batch, one.index, host_restarted));
  return base::Ok();
}

bool Supervisor::ExitFileIsWhole(const BatchView& batch) const {
  const auto folder = OpenBatchFolder(parts_.log_dir, batch.name);
  struct stat about {};
  return folder.ok() && ::fstatat(folder->get(), launch::kExitFileName, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(about.st_mode) && static_cast<uint64_t>(about.st_size) >= launch::SlotOffset(batch.job_count + 1);
}

base::Status Supervisor::RestoreJob(StoreReader& from, uint64_t batch, uint32_t index, bool host_restarted) {
  JOBD_ASSIGN_OR_RETURN(const auto row, from.Row(batch, index));
  if (!row) return base::Ok();
  if (!homes_.contains(batch)) {
    // Before OpenHome makes a new one: an exit file that is gone or cut short says nothing about any job.
    JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, from.Active(batch));
    const bool intact = ExitFileIsWhole(about.view);
    JOBD_ASSIGN_OR_RETURN(Home* const opened, OpenHome(batch));
    opened->damaged = !intact;
  }
  Home* const home = &homes_.at(batch);
  const launch::JobKey key{.batch = batch, .index = index, .attempt = row->attempt};
  Job& job = home->jobs[index];
  job = Job{.stage = Stage::kLaunched, .row = *row, .launched = true};
  ++slots_used_;
  queue_.Adopt(batch);
  if (auto spec = from.Spec(batch, index); spec.ok()) {
    job.bounds = BoundsOf(*spec, limits_);
    job.kill_after = KillAfterOf(*spec, limits_);
    job.retries = spec->retries;
  }
  if (row->outcome.state == JobState::kStopping) job.asked = row->outcome.reason;

  const auto slot = home->exits && !home->damaged
                        ? launch::ReadSlot(home->exits.get(), index)
                        : base::Result<launch::SlotRecord>(base::Error(base::Code::kDataLoss, "the exit file is damaged"));
  // Of a later version, which alone knows what it says: nothing may be concluded from it, least of all that the job is lost.
  if (!slot.ok() && slot.error().code() == base::Code::kFailedPrecondition) return base::Error(slot.error());
  const bool ours = slot.ok() && slot->phase != launch::Phase::kNone && slot->attempt == row->attempt;
  if (ours && slot->phase == launch::Phase::kEnded) {
    job.shim_gone = true;
    LookAtSlot(batch, *home, index);
    return base::Ok();
  }
  const auto holder = home->exits ? launch::SlotHolder(home->exits.get(), index) : std::optional<int>();
  if (!holder.ok()) return base::Error(holder.error()).WithContext("looking for a job's recorder");
  if (*holder) {
    JOBD_RETURN_IF_ERROR(parts_.launcher.Watch(key, home->name.owner, home->name.correlation_id));
    Show(key, JobState::kStarting);
    LookAtSlot(batch, *home, index);
    // The request may have been recorded and not handed on.
    if (job.asked.code != ReasonCode::kNone) JOBD_RETURN_IF_ERROR(parts_.launcher.Cancel(key, job.kill_after));
    return base::Ok();
  }
  if (host_restarted) {
    // Nothing of another boot can be left to sweep; but its cgroups' names may have come again.
    job.after_sweep = AfterSweep::kEnd;
    job.lost = HostRestarted();
  } else if (slot.ok() && !ours) {
    job.after_sweep = AfterSweep::kRequeue;
  } else {
    job.after_sweep = AfterSweep::kEnd;
    job.lost = slot.ok() ? ShimDied() : RecordDamaged();
  }
  return parts_.launcher.Sweep(key);
}

}  // namespace jobd::worker
