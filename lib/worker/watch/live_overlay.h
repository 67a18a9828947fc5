// What is known of live jobs beyond their rows, which say QUEUED until the start is committed and STARTING from then on: whether
// they have a slot, are with the launcher, or were executed, and when. Readers lay it over rows.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
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
  void Set(uint64_t batch, uint32_t index, LiveView job) {
    const std::lock_guard lock(mutex_);
    jobs_[batch][index] = job;
  }
  void Erase(uint64_t batch, uint32_t index) {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(batch);
    if (found == jobs_.end()) return;
    found->second.erase(index);
    if (found->second.empty()) jobs_.erase(found);
  }
  std::map<uint32_t, LiveView> Of(uint64_t batch) const {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(batch);
    return found == jobs_.end() ? std::map<uint32_t, LiveView>() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, std::map<uint32_t, LiveView>> jobs_;
};

}  // namespace jobd::worker
