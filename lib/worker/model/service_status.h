// What a worker says of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/model/limits.h"
#include "worker/model/model.h"

namespace jobd::worker {

enum class ServiceState { kRunning = 1, kDraining = 2, kStopped = 3 };

struct DiskStatus {
  std::string name;  // "state" or "log"
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
  bool accepting = true;
  std::string problem;  // why it is not: "almost full", "almost out of inodes", "read-only", "failing", "not answering",
                        // "without its database (deleted or replaced)" or "without the records of N jobs that run (…)"
};

// Ended batches that are kept, by the latest look at them.
struct KeptStatus {
  uint64_t batches = 0;
  uint64_t bytes = 0;        // of files; a batch is measured soon after its end
  uint64_t undeletable = 0;  // batches that should have gone, whose files could not be deleted
  RetentionRule rule;
  size_t own_rules = 0;  // owners with a rule of their own
};

struct WorkerStatus {
  ServiceState state = ServiceState::kRunning;
  std::string state_by;         // who stopped or drained it; empty for kRunning
  base::Nanos state_since = 0;  // and when, by the wall clock
  uint32_t slots = 0;
  uint32_t running = 0;
  uint64_t queued = 0;
  std::map<JobState, uint64_t> finished;  // since this process started
  std::vector<DiskStatus> disks;
  KeptStatus kept;
};

}  // namespace jobd::worker
