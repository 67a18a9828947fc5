// Whether the service takes and starts jobs: running, draining or stopped. Kept over restarts.
#pragma once

#include <functional>
#include <optional>

#include "base/result.h"
#include "worker/model/service_status.h"
#include "worker/run/journal.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class ServiceSwitch {
 public:
  explicit ServiceSwitch(Journal& journal) : journal_(journal) {}

  // As it was when the last process ended.
  base::Status Restore(LiveReader& reader);

  ServiceState state() const { return state_; }
  // What is queued may be started.
  bool StartsJobs() const { return state_ != ServiceState::kStopped; }
  // Why nothing new is taken, if so.
  std::optional<base::Error> Refusal() const;

  // In force at once; `done` when it is recorded, with the state at that time.
  void Set(ServiceState state, std::function<void(base::Result<ServiceState>)> done);
  // A service that drains is stopped when nothing waits or runs any more.
  void OnIdle();

 private:
  Journal& journal_;
  ServiceState state_ = ServiceState::kRunning;
};

}  // namespace jobd::worker
