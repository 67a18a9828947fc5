// From the queue to the launcher: picks jobs for free slots, records their starts, and hands them over.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/launcher/launcher.h"
#include "worker/model/limits.h"
#include "worker/plan/pools.h"
#include "worker/plan/queue.h"
#include "worker/run/announcer.h"
#include "worker/run/batch_canceller.h"
#include "worker/run/batch_leases.h"
#include "worker/run/job_table.h"
#include "worker/run/journal.h"
#include "worker/run/loop.h"
#include "worker/run/service_switch.h"
#include "worker/run/spec_prefetcher.h"
#include "worker/run/upkeep.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class Dispatcher {
 public:
  // All are borrowed and outlive this; `limits` are those in force, `log_dir` where the batches' folders are.
  struct Parts {
    Loop& loop;
    LiveReader& reader;
    Queue& queue;
    Pools& pools;
    JobTable& table;
    Journal& journal;
    Announcer& announcer;
    Launcher& launcher;
    SpecPrefetcher& specs;
    BatchLeases& leases;
    BatchCanceller& canceller;
    ServiceSwitch& service;
    Upkeep& upkeep;
    const base::Clock& clock;
    const WorkerLimits& limits;
    int log_dir = -1;
  };
  explicit Dispatcher(const Parts& parts) : parts_(parts) {}

  // Nothing is started before: what an earlier process started must be known first.
  void Open();
  // Starts what may start. To be called whenever a slot fell free, a job came to the queue, or a bound was raised; within itself it
  // does nothing. Publishes the load.
  void Dispatch();

  bool is_open() const { return open_; }
  // Why nothing can be started for want of something.
  struct Lack {
    const char* disk = "";  // "state" or "log": could not record a start, or not make place for output
    base::Nanos since = 0;  // wall clock
  };
  // From the first failure until a start has come about, or has not failed for a while.
  std::optional<Lack> FindLack() const;

 private:
  void Prepare(const Queue::Pick& pick, Slot slot);
  // What was picked cannot be looked at now: it waits on.
  void ReturnPick(const Queue::Pick& pick, const char* disk);
  // Has the launcher make what the batch's attempts need; the job goes on when that is done.
  void OpenBatch(LiveBatch& batch, launch::JobKey first);
  void OnOpened(uint64_t id, const base::Status& status);
  bool NeedsLook(const LiveJob& job) const;
  // Looks at what earlier attempts have left on the log disk.
  void Look(const LiveJob& job);
  void OnLooked(launch::JobKey key, uint64_t records, bool compressed);
  void OnPrepared(LiveJob& job);
  // An attempt appends to what earlier ones wrote, which has to be plain for that.
  void Expand(const LiveJob& job);
  void OnExpanded(launch::JobKey key, const base::Status& status);
  void RecordStart(LiveJob& job);
  void OnRecorded(launch::JobKey key, const base::Status& status);
  // The start cannot be prepared or recorded for want of something: the job waits again.
  void DeferStart(LiveJob& job, const char* disk);
  // What is on disk does not let it start: it has ended.
  void Forget(LiveJob& job);
  // No start of this job can ever be: its end is its own, others may do better.
  void FailStart(LiveJob& job, std::string_view step, int errno_value);
  void Launch(LiveJob& job);
  // Starts nothing for a while: what the machine lacks is not asked for again at once. `disk`: see Lack.
  void BackOff(const char* disk);
  void PublishLoad();

  const Parts parts_;
  bool open_ = false;
  bool dispatching_ = false;
  bool backing_off_ = false;
  std::optional<Lack> lack_;         // since the last start that came about
  base::Nanos backed_off_last_ = 0;  // by the monotonic clock
};

}  // namespace jobd::worker
