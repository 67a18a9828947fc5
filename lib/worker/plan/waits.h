// Why a job that has not started waits. Pure: what comes to know of a reason adds it to ServiceStanding or to Queue::Place, and the
// reason here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "worker/model/wait.h"
#include "worker/plan/queue.h"

namespace jobd::worker {

// What holds for every job alike.
struct ServiceStanding {
  bool recovering = false;  // what a restart found is not put in order yet
  bool stopped = false;     // nothing is started
  std::string stopped_by;
  base::Nanos stopped_since = 0;
  std::string disk;  // "state" or "log": the one that takes nothing; empty: both do
  base::Nanos disk_since = 0;
  uint32_t slots_used = 0;
  uint32_t slots = 0;
};

// Where one job is.
enum class Whereabouts : uint8_t {
  kInQueue,   // as its place says, or nowhere: it has been started or has ended since it was looked at
  kStarting,  // picked, and its start is not recorded yet: it may wait for a disk
  kLeaving,   // waits again as soon as nothing is left of its last attempt
};

// `batch` and `job` are where they stand in the queue, the second one of the first. `lacked`, of one that is leaving: its last
// start did not come about for want of this. What would keep the job from starting whatever became of the rest comes first. Empty:
// it does not wait (any more).
WaitReasons WhyItWaits(const WaitQuery::Job& asked, Whereabouts where, const Queue::Place& batch, const Queue::Place::Job& job,
                       const ServiceStanding& service, std::string_view lacked = {});

}  // namespace jobd::worker
