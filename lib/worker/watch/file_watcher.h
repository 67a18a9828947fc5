// Watches files for those who follow output, and keeps their timers; both call back on the thread `watcher`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/watch/file_events.h"

namespace jobd::worker {

// Ends a timer when destroyed, as FileWatch ends a watch.
class WakeTimer {
 public:
  virtual ~WakeTimer() = default;
};

// Thread-safe, but for its destructor: all watches and timers must be gone before, and no callback runs after it.
class FileWatcher {
 public:
  using Callback = FileEvents::Callback;

  static base::Result<std::unique_ptr<FileWatcher>> Create();
  virtual ~FileWatcher() = default;

  // The file is written to. dir is borrowed for the call.
  virtual base::Result<std::unique_ptr<FileWatch>> WatchFile(int dir, const std::string& name, Callback changed) = 0;
  // A file comes into being in the folder.
  virtual base::Result<std::unique_ptr<FileWatch>> WatchFolder(int dir, Callback created) = 0;
  // Calls once, `delay` from now; at once when that is not above 0.
  virtual std::unique_ptr<WakeTimer> WakeAfter(base::Nanos delay, std::function<void()> wake) = 0;
};

}  // namespace jobd::worker
