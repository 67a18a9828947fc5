// The seam to where jobs run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "launch/contract/frames.h"
#include "launch/contract/launch_request.h"

namespace jobd::worker {

// What comes back. Called on a thread of the launcher's; implementations must not block.
class OldLauncherEvents {
 public:
  virtual ~OldLauncherEvents() = default;
  virtual void OnRefused(launch::Refused refused) = 0;
  virtual void OnShimExited(launch::JobKey key) = 0;
  virtual void OnSwept(launch::JobKey key) = 0;
  // Answered by Launcher::Alive, by whoever would not if something hung.
  virtual void OnPing() = 0;
};

// Starts and steers jobs. Calls return when the request is handed over and never block for long; answers come as events.
// Thread-safe. kUnavailable: the launcher is gone, and so this process must end.
class OldLauncher {
 public:
  virtual ~OldLauncher() = default;
  // Before anything else; `events` outlives the launcher or the next call, which may pass nullptr.
  virtual void SetEvents(OldLauncherEvents* events) = 0;
  virtual base::Status Launch(const launch::LaunchRequest& request) = 0;
  virtual base::Status Watch(launch::JobKey key, const std::string& owner, const std::string& correlation_id) = 0;
  virtual base::Status Cancel(launch::JobKey key, base::Nanos grace) = 0;
  virtual base::Status Signal(launch::JobKey key, int signal) = 0;
  virtual base::Status Sweep(launch::JobKey key) = 0;
  virtual base::Status Reconciled() = 0;
  virtual base::Status Alive() = 0;
};

}  // namespace jobd::worker
