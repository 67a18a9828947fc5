// What a new process makes of what the last one left: the queue as it was, and every live row with the launcher again, which knows
// what became of it.
//
//   the launcher says    then
//   Ended                its end is imported
//   Started, or nothing  it is watched again
//   NotStarted           it provably never ran: queued again, under the same number unless that is used up
//   Lost                 LOST, with the launcher's reason
//   an error             this process does not start, and has decided nothing: a record is of a later version, for one
#pragma once

#include <vector>

#include "base/result.h"
#include "worker/launcher/launcher.h"
#include "worker/model/limits.h"
#include "worker/plan/pools.h"
#include "worker/plan/queue.h"
#include "worker/run/enqueuer.h"
#include "worker/run/job_table.h"
#include "worker/run/journal.h"
#include "worker/run/service_switch.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Used once, before the loop runs, by the thread that starts it.
class Reconciler {
 public:
  // All are borrowed.
  struct Parts {
    LiveReader& reader;
    Queue& queue;
    Enqueuer& enqueuer;
    Pools& pools;
    JobTable& table;
    Journal& journal;
    Launcher& launcher;
    ServiceSwitch& service;
    const WorkerLimits& limits;
  };
  explicit Reconciler(const Parts& parts) : parts_(parts) {}

  // The launcher's events of what ended meanwhile come within this.
  base::Status Restore();

 private:
  base::Status RestoreQueue();
  base::Status RestoreBatch(const ActiveBatch& batch);
  base::Status RestoreLive();
  base::Status RestoreJob(const LiveRow& live);

  const Parts parts_;
  std::vector<Launcher::Earlier> earlier_;
};

}  // namespace jobd::worker
