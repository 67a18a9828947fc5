// The states of live jobs that no row has, for readers to lay over the rows. A row says QUEUED until the start is committed, and
// STARTING from then on; whether the job has a slot, is with the launcher, or was executed, and when, is known in memory alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "worker/model/model.h"
#include "worker/model/request.h"

namespace jobd::worker {

struct LiveView {
  JobState state = JobState::kStarting;
  uint32_t attempt = 0;
  base::Nanos started_at = 0;
  base::Nanos kill_after = 0;  // its grace, of what is with the launcher
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
  // A batch has live jobs, or none any more.
  void Open(const BatchName& name, uint64_t batch) { (*names_.Lock())[name] = batch; }
  void Close(const BatchName& name) { names_.Lock()->erase(name); }
  // The selected jobs, or all, that the launcher has, with their graces: for who cannot ask the loop.
  std::vector<std::pair<launch::JobKey, base::Nanos>> WithLauncher(const std::optional<JobSelector>& jobs) const {
    std::vector<std::pair<launch::JobKey, base::Nanos>> found;
    const auto names = *names_.Lock();
    for (const auto& [name, batch] : names) {
      if (jobs && jobs->batch != name) continue;
      for (const auto& [index, job] : Of(batch)) {
        if ((jobs && jobs->index && *jobs->index != index) || job.state == JobState::kScheduled) continue;
        found.emplace_back(launch::JobKey{.batch = batch, .index = index, .attempt = job.attempt}, job.kill_after);
      }
    }
    return found;
  }
  // By index.
  std::map<uint32_t, LiveView> Of(uint64_t batch) const {
    const auto batches = batches_.Lock();
    const auto found = batches->find(batch);
    return found == batches->end() ? std::map<uint32_t, LiveView>() : found->second;
  }

 private:
  base::Guarded<std::unordered_map<uint64_t, std::map<uint32_t, LiveView>>> batches_;
  base::Guarded<std::map<BatchName, uint64_t>> names_;
};

}  // namespace jobd::worker
