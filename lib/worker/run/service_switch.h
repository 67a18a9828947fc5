// Whether the service takes and starts jobs: running, draining or stopped. Kept over restarts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "worker/model/service_status.h"
#include "worker/run/journal.h"
#include "worker/run/loop.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class ServiceSwitch {
 public:
  // All are borrowed and outlive this.
  ServiceSwitch(Journal& journal, Loop& loop, const base::Clock& clock) : journal_(journal), loop_(loop), clock_(clock) {}

  // As it was when the last process ended.
  base::Status Restore(LiveReader& reader);

  ServiceState state() const { return state_; }
  // Who made it so, and when by the wall clock; empty and 0 while it runs.
  const std::string& by() const { return by_; }
  base::Nanos since() const { return since_; }
  // What is queued may be started.
  bool StartsJobs() const { return state_ != ServiceState::kStopped; }
  // Why nothing new is taken, if so.
  std::optional<base::Error> Refusal() const;

  // In force at once; `done` when it is recorded, with the state at that time, or when that failed: it is in force all the same,
  // and is offered to the disk again, every second, until it is recorded or another state is set.
  // `by` is who asked for it. Setting the state that there is keeps who made it so, and when.
  void Set(ServiceState state, std::string by, std::function<void(base::Result<ServiceState>)> done);
  // A service that drains is stopped when nothing waits or runs any more.
  void OnIdle();

 private:
  void Record(uint64_t change, std::function<void(base::Result<ServiceState>)> done);

  Journal& journal_;
  Loop& loop_;
  const base::Clock& clock_;
  std::string by_;
  base::Nanos since_ = 0;
  uint64_t changes_ = 0;  // so many states were set
  ServiceState state_ = ServiceState::kRunning;
};

}  // namespace jobd::worker
