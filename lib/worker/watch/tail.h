// File events for those who follow, on the thread `tail`: calls back when a file or a folder changes, or when it is time.
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

// Thread-safe, but for its destructor: all watches must be gone before, and no callback runs after it.
class Tail {
 public:
  using Watch = worker::Watch;
  using Callback = FileEvents::Callback;

  static base::Result<std::unique_ptr<Tail>> Create();
  virtual ~Tail() = default;

  // The file is written to. dir is borrowed for the call.
  virtual base::Result<std::unique_ptr<Watch>> WatchFile(int dir, const std::string& name, Callback changed) = 0;
  // A file comes into being in the folder.
  virtual base::Result<std::unique_ptr<Watch>> WatchFolder(int dir, Callback created) = 0;
  // Calls once, `delay` from now; at once when that is not above 0.
  virtual std::unique_ptr<Watch> WakeAfter(base::Nanos delay, std::function<void()> wake) = 0;
};

}  // namespace jobd::worker
