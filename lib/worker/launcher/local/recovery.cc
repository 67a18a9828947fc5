// What a new process makes of the attempts that the one before may have started. Each is accounted for by its exit slot, by the
// lock that its shim holds on the slot, or by neither:
//
//   exit slot, of this attempt       shim's lock   boot     then
//   ENDED                            free          -        its end is told, and it is released
//   ENDED                            held          -        its end is told; watched until its shim is gone
//   anything else                    held          -        watched again; told to end again, if it had been
//   none, or of an earlier attempt   free          same     it provably never began: swept, and not started
//   BORN or RUNNING                  free          same     swept, and lost: its shim was killed
//   cannot be read                   free          same     swept, and lost: its record is damaged, or missing
//   anything but ENDED               free          another  swept, and lost: the machine restarted
//   of a later version               -             -        nothing is changed, and this server does not start
//
// Every sweep's answer is judged by the slot as it is then (HandleSwept). No start can still be on its way: jobd served the process
// before until it was gone.
//
// A sweep ends what a dead shim left, and waits for one that lives: what is not seen here may run all the same, where the log
// folder was unmounted, emptied or replaced, or its disk fails. Nothing is killed for that. While a batch's whole folder is missing
// nothing is started either: see FindProblem.
//
// An exit file that is missing or cut short says nothing about any job. It is made whole again when another job of the batch is to
// start, and before that, each attempt gets the record BORN: the next restart may come before we have recorded what is lost, and
// must not take new, empty slots for jobs that never began. Nothing is written here, for the disk may be frozen.
//
// An attempt from before the machine restarted of which there is no record gets BORN at once: a power failure may have taken it,
// and the next restart is one of this boot.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "worker/launcher/local/local_launcher.h"
#include "worker/model/outcome.h"

namespace jobd::worker {

base::Status LocalLauncher::Recover(const std::vector<Earlier>& attempts, bool host_restarted) {
  std::vector<Earlier> sorted = attempts;
  std::sort(sorted.begin(), sorted.end(), [](const Earlier& a, const Earlier& b) { return a.key < b.key; });
  JOBD_RETURN_IF_ERROR(RefuseLaterVersions(sorted));
  for (auto begin = sorted.begin(); begin != sorted.end();) {
    const auto end = std::find_if(begin, sorted.end(), [&](const Earlier& one) { return one.key.batch != begin->key.batch; });
    const bool intact = OpenAsFound({begin, end});
    for (; begin != end; ++begin) JOBD_RETURN_IF_ERROR(RecoverAttempt(*begin, intact, host_restarted));
  }
  JOBD_RETURN_IF_ERROR(jobd_.Send(launch::Reconciled{}));
  recovered_.store(true);
  return base::Ok();
}

// A later version alone knows what its record says: nothing may be concluded from it, least of all that the job is lost.
base::Status LocalLauncher::RefuseLaterVersions(std::span<const Earlier> attempts) const {
  uint64_t batch = 0;
  ExitFile exits;
  for (const Earlier& one : attempts) {
    if (std::exchange(batch, one.key.batch) != one.key.batch) exits = exit_files_->OpenFound(one.place).exits;
    if (!exits.file) continue;
    const auto slot = exits.Read(one.key.index);
    if (!slot.ok() && slot.error().code() == base::Code::kFailedPrecondition) return slot.error();
  }
  return base::Ok();
}

bool LocalLauncher::OpenAsFound(std::span<const Earlier> attempts) {
  const BatchPlace& place = attempts.front().place;
  ExitFiles::Found found = exit_files_->OpenFound(place);
  Batch& batch = batches_[place.batch];
  batch.exits = std::move(found.exits);
  batch.whole = found.whole;
  for (const Earlier& one : attempts) {
    Attempt& attempt = batch.attempts[one.key.index];
    attempt.number = one.key.attempt;
    attempt.without_folder = found.without_folder;
    if (found.without_folder) ++without_folder_;
    if (!found.whole) unrecorded_[place.batch].push_back(one.key);
  }
  return found.whole;
}

base::Status LocalLauncher::RecoverAttempt(const Earlier& earlier, bool intact, bool host_restarted) {
  const launch::JobKey key = earlier.key;
  Batch& batch = batches_.at(key.batch);
  Attempt& attempt = batch.attempts.at(key.index);

  const auto slot = batch.exits.Read(key.index);
  const bool ours = slot.ok() && slot->phase != launch::Phase::kNone && slot->attempt == key.attempt;
  const bool ended = ours && slot->phase == launch::Phase::kEnded;
  // A disk that does not say is one that shows no lock: jobd looks for the shim by the job's processes before it sweeps.
  if (const auto holder = batch.exits.Holder(key.index); holder.ok() && *holder) {
    const BatchName& name = earlier.place.name;
    JOBD_RETURN_IF_ERROR(jobd_.Send(launch::Watch{.key = key, .owner = name.owner, .correlation_id = name.correlation_id}));
    LookAtSlot(key);
    // The request to end may have been recorded and not handed on.
    return earlier.stopping ? Cancel(key, earlier.grace) : base::Ok();
  }
  if (ended) {
    LookAtSlot(key);
    Release(key);
    return base::Ok();
  }
  if (host_restarted) {
    // If it cannot be written, this is as safe as it was: another restart has to come before what is lost is recorded.
    if (intact && !ours) (void)exit_files_->MarkBegun(earlier.place, {&key, 1});
    return AskForSweep(key, attempt, {.lost = HostRestarted()});
  }
  const base::Status asked = [&] {
    if (slot.ok() && !ours && intact) return AskForSweep(key, attempt, {.unbegun = true});
    if (!intact && !ours) return AskForSweep(key, attempt, {.lost = RecordMissing()});
    // One that a server wrote has no shim's pid: it says as little as none.
    const bool by_shim = slot.ok() && slot->shim_pid != 0;
    return AskForSweep(key, attempt, {.lost = !slot.ok() ? RecordDamaged() : by_shim ? ShimDied() : RecordMissing()});
  }();
  JOBD_RETURN_IF_ERROR(asked);
  return earlier.stopping ? Cancel(key, earlier.grace) : base::Ok();
}

}  // namespace jobd::worker
