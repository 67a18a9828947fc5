// What a new process makes of the attempts that the one before may have started. Each is accounted for by its exit slot, by the
// lock that its shim holds on the slot, or by neither:
//
//   exit slot, of this attempt       shim's lock   boot     then
//   ENDED                            free          -        its end is told, and it is released
//   ENDED                            held          -        its end is told; watched until its shim is gone
//   anything else                    held          -        watched again; told to end again, if it had been
//   none, or of an earlier attempt   free          same     it provably never began: swept, and not started
//   BORN or RUNNING                  free          same     swept, and lost: its shim was killed
//   cannot be read                   free          same     swept, and lost: its record is damaged
//   anything but ENDED               free          another  swept, and lost: the machine restarted
//   of a later version               -             -        nothing is changed, and this server does not start
//
// Every sweep's answer is judged by the slot as it is then (HandleSwept). No start can still be on its way: jobd served the process
// before until it was gone.
//
// An exit file that is missing or cut short says nothing about any job. It is made whole again, for the jobs that are still to
// come. Before that, each attempt gets the record BORN: the next restart may come before we have recorded what is lost, and must
// not take new, empty slots for jobs that never began.
//
// So does an attempt from before the machine restarted of which there is no record: a power failure may have taken it, and the next
// restart is one of this boot.
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
    JOBD_ASSIGN_OR_RETURN(const bool intact, OpenAsFound({begin, end}));
    for (; begin != end; ++begin) JOBD_RETURN_IF_ERROR(RecoverAttempt(*begin, intact, host_restarted));
  }
  JOBD_RETURN_IF_ERROR(jobd_.Send(launch::Reconciled{}));
  recovered_.store(true);
  return base::Ok();
}

// A later version alone knows what its record says: nothing may be concluded from it, least of all that the job is lost.
base::Status LocalLauncher::RefuseLaterVersions(std::span<const Earlier> attempts) const {
  uint64_t batch = 0;
  base::Fd exits;
  for (const Earlier& one : attempts) {
    if (std::exchange(batch, one.key.batch) != one.key.batch) exits = exit_files_->OpenWhole(one.place);
    if (!exits) continue;
    const auto slot = launch::ReadSlot(exits.get(), one.key.index);
    if (!slot.ok() && slot.error().code() == base::Code::kFailedPrecondition) return slot.error();
  }
  return base::Ok();
}

base::Result<bool> LocalLauncher::OpenAsFound(std::span<const Earlier> attempts) {
  const BatchPlace& place = attempts.front().place;
  Batch& batch = batches_[place.batch];
  const bool intact = static_cast<bool>(exit_files_->OpenWhole(place));
  const auto open = [&]() -> base::Status {
    if (!intact) {
      std::vector<launch::JobKey> keys;
      for (const Earlier& one : attempts) keys.push_back(one.key);
      JOBD_RETURN_IF_ERROR(exit_files_->MarkBegun(place, keys));
    }
    JOBD_ASSIGN_OR_RETURN(batch.exits, exit_files_->Open(place));
    return base::Ok();
  };
  const base::Status opened = open();
  // The disk's, and may pass. Anything else is wrong with this batch alone, and its attempts are lost.
  const bool passing =
      !opened.ok() && (opened.error().code() == base::Code::kResourceExhausted || opened.error().sys_errno() == EROFS);
  if (passing) return opened.error();
  return intact && opened.ok();
}

base::Status LocalLauncher::RecoverAttempt(const Earlier& earlier, bool intact, bool host_restarted) {
  const launch::JobKey key = earlier.key;
  Batch& batch = batches_.at(key.batch);
  Attempt& attempt = batch.attempts[key.index];
  attempt.number = key.attempt;

  const auto slot = intact ? batch.exits.Read(key.index)
                           : base::Result<launch::SlotRecord>(base::Error(base::Code::kDataLoss, "the exit file is damaged"));
  const bool ours = slot.ok() && slot->phase != launch::Phase::kNone && slot->attempt == key.attempt;
  const bool ended = ours && slot->phase == launch::Phase::kEnded;
  const auto holder = batch.exits.file ? batch.exits.Holder(key.index) : base::Result<std::optional<int>>(std::optional<int>());
  if (!holder.ok()) return base::Error(holder.error()).WithContext("looking for a job's shim");

  if (*holder) {
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
  if (slot.ok() && !ours) return AskForSweep(key, attempt, {.unbegun = true});
  return AskForSweep(key, attempt, {.lost = slot.ok() ? ShimDied() : RecordDamaged()});
}

}  // namespace jobd::worker
