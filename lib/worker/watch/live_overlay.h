// The states of live jobs that no row has, for readers to lay over the rows. A row says QUEUED until the start is committed, and
// STARTING from then on; whether the job has a slot, is with the launcher, or was executed, and when, is known in memory alone.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "base/clock.h"
#include "base/guarded.h"
#include "worker/model/model.h"

namespace jobd::worker {

struct LiveView {
  JobState state = JobState::kStarting;
  uint32_t attempt = 0;
  base::Nanos started_at = 0;
};

// Thread-safe.
class LiveOverlay {
 public:
  void Set(uint64_t batch, uint32_t index, LiveView job) { (*batches_.Lock())[batch][index] = job; }
  void Erase(uint64_t batch, uint32_t index) {
    const auto batches = batches_.Lock();
    const auto found = batches->find(batch);
    if (found == batches->end()) return;
    found->second.erase(index);
    if (found->second.empty()) batches->erase(found);
  }
  // By index.
  std::map<uint32_t, LiveView> Of(uint64_t batch) const {
    const auto batches = batches_.Lock();
    const auto found = batches->find(batch);
    return found == batches->end() ? std::map<uint32_t, LiveView>() : found->second;
  }

 private:
  base::Guarded<std::unordered_map<uint64_t, std::map<uint32_t, LiveView>>> batches_;
};

}  // namespace jobd::worker
