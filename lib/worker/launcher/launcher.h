// The seam to where jobs run. What is behind it starts attempts, ends them, finds them again after a restart, and says how each
// ended; how it knows is its own affair. Nothing in front of it opens an exit file, holds a job's descriptor or sweeps.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/capabilities.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/launch_request.h"
#include "worker/model/model.h"

namespace jobd::worker {

// Where a batch's files are, and how many jobs it has.
struct BatchPlace {
  uint64_t batch = 0;
  BatchName name;
  uint32_t job_count = 0;
  // When it was submitted, as long as no job of it was ever started by what the database knows; else 0.
  base::Nanos untouched_since = 0;
};

// What becomes of an attempt. For each attempt that was started or recovered exactly one of Ended, NotStarted and Lost comes, then
// Released, once; Started comes at most once, before them, and not at all when the end is seen with it: the record has both. All
// come on the loop's thread, also within a call of Signal, or within Recover on the thread that calls it. A handler may call the
// launcher.
class LauncherEvents {
 public:
  virtual ~LauncherEvents() = default;
  // The program was executed; `at` is the wall clock.
  virtual void OnStarted(launch::JobKey key, base::Nanos at) = 0;
  // The attempt is over, and this is what was recorded of it: phase kEnded. It may not have run: see its cause.
  virtual void OnEnded(launch::JobKey key, const launch::SlotRecord& record) = 0;
  struct NotStarted {
    // The machine lacked something (a process, memory, room), or a restart came in between: the job may be started again later.
    // False: the same request would be refused again, and `text` says why, for the submitter.
    bool retryable = false;
    // The attempt's number is used up: the next start needs another one.
    bool number_used = false;
    std::string text;
  };
  // Nothing of the job ran, provably.
  virtual void OnNotStarted(launch::JobKey key, const NotStarted& why) = 0;
  // It may have run, and how it ended is not known. No process of it is left.
  virtual void OnLost(launch::JobKey key, const Reason& why) = 0;
  // Nothing is left of the attempt: no process, no lock, no cgroup. Only now may the job be started again.
  virtual void OnReleased(launch::JobKey key) = 0;
  // Asks for a sign of life: answered by Launcher::Alive when every thread that jobs depend on has had its turn.
  virtual void OnPing() = 0;
};

// The thread that events come on, as the launcher sees it.
class LauncherLoop {
 public:
  virtual ~LauncherLoop() = default;
  // From any thread: does `work` on the loop's thread, later. After the loop's end it is dropped.
  virtual void Post(std::function<void()> work) = 0;
  // From the loop's thread or before it runs: has `ready` called on it whenever `fd` (borrowed) can be read, until Unwatch. One
  // watch for each descriptor.
  virtual void WatchReadable(int fd, std::function<void()> ready) = 0;
  virtual void Unwatch(int fd) = 0;
  // From the loop's thread: does `work`, which may wait for the log disk as long as that likes, and meanwhile keeps nobody. On any
  // thread, one after the other or not; it may be dropped when the loop ends, and is not under way any more when that has ended.
  virtual void OnLogDisk(std::function<void()> work) = 0;
};

// Calls come from the loop's thread (or before it runs, from the one thread there is), hand the request over and do not block for
// long; Alive, Capabilities and FindProblem are thread-safe. kUnavailable: what runs the jobs is gone, and so this process must
// end.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // Before anything else. Both outlive the launcher or the call of Detach.
  virtual void Attach(LauncherEvents& events, LauncherLoop& loop) = 0;
  // No event comes any more once this returned. The loop's thread has ended.
  virtual void Detach() = 0;

  // What attempts may be asked for here.
  virtual launch::Capabilities Capabilities() const = 0;

  // Makes what attempts of the batch need, before the first Start of it; does nothing when that is there. `done` comes on the
  // loop's thread, later, or never when the loop ends before: the disk may hang. Errors: kResourceExhausted, or any with EROFS: the
  // disk's, and may pass. Others are this batch's own, with their errno.
  virtual void Open(const BatchPlace& place, std::function<void(base::Status)> done) = 0;
  // No attempt of the batch is live: what Open made in memory may go.
  virtual void Close(uint64_t batch) = 0;

  // The batch is open.
  virtual base::Status Start(const launch::LaunchRequest& request) = 0;
  // TERM to all processes of the attempt, after `grace` KILL. One that is not known is ignored: its end is on the way.
  virtual base::Status Cancel(launch::JobKey key, base::Nanos grace) = 0;
  // Keeps beside the attempts' own records why they were told to end, as soon as their disk lets us: for whoever recovers them and
  // finds that the store does not have it.
  virtual void KeepReason(const BatchPlace& place, std::vector<launch::JobKey> attempts, const Reason& why) = 0;
  // Before Recover: what was kept so of this attempt.
  virtual std::optional<Reason> KeptReason(const BatchPlace& place, launch::JobKey attempt) = 0;
  // kFailedPrecondition: it has no program yet, or none any more.
  virtual base::Status Signal(launch::JobKey key, int signal) = 0;

  // Thread-safe, for when the loop is kept by a disk that hangs: as Cancel and Signal, without a look at what became of the
  // attempt.
  virtual void CancelPastLoop(launch::JobKey key, base::Nanos grace) = 0;
  virtual void SignalPastLoop(launch::JobKey key, int signal) = 0;

  // What an earlier process may have started.
  struct Earlier {
    launch::JobKey key;
    BatchPlace place;
    // It was told to end, and must be told again if it still runs.
    bool stopping = false;
    base::Nanos grace = 0;
  };
  // Once, before the first Start: every attempt that the store calls live. What ended, or is known to be lost, is reported within
  // the call; what runs is watched from then on; whatever else is left of attempts that are not named is killed.
  // `host_restarted`: nothing of theirs can still run. kFailedPrecondition when a record is of a later version of this program.
  virtual base::Status Recover(const std::vector<Earlier>& attempts, bool host_restarted) = 0;

  // Answers OnPing.
  virtual base::Status Alive() = 0;

  // What is wrong with where records and output are kept, for people: "not answering". Empty: nothing. Thread-safe.
  virtual std::string FindProblem() = 0;
};

}  // namespace jobd::worker
