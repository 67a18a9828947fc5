// Why jobs that have not started wait, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "worker/model/model.h"

namespace jobd::worker {

// As the API's WaitCode. Those that no part of the worker gives yet are for queues, dependencies and schedules.
enum class WaitCode : uint8_t {
  kNone = 0,
  kDependency = 1,
  kBeginTime = 2,
  kRetryDelay = 3,
  kHeld = 4,
  kScheduleOverlap = 5,
  kLock = 6,
  kQueuePaused = 7,
  kQueueSlots = 8,
  kBatchParallel = 9,
  kUserLimit = 10,
  kServiceSlots = 11,
  kResource = 12,
  kReservedFor = 13,
  kTurn = 14,
  kServiceStopped = 15,
  kDisk = 16,
  kRecovering = 17,
};

// Which members mean something depends on the code: see the API's WaitReason.
struct WaitReason {
  WaitCode code = WaitCode::kNone;
  base::Nanos since = 0;  // wall clock; 0: not known
  std::string by;
  std::string limit;
  uint64_t used = 0;
  uint64_t max = 0;
  uint64_t before = 0;
  bool before_at_least = false;  // there are more: not all were counted
  std::string disk;
  std::string lacked;       // of kResource: what could not be done for want of something
  bool of_service = false;  // of kRecovering: the service, not the job
  bool operator==(const WaitReason&) const = default;
};

// The main reason first. Empty: it does not wait (any more).
using WaitReasons = std::vector<WaitReason>;

// Jobs of one batch as a reader of the store saw them, of whom it is asked why they wait.
struct WaitQuery {
  struct Job {
    uint32_t index = 0;
    JobState state = JobState::kQueued;
    base::Nanos since = 0;  // it has waited since then
    std::string held_by;    // of one that is held
  };
  uint64_t batch = 0;
  std::vector<Job> jobs;  // by index
};

}  // namespace jobd::worker
