// The updates that a watcher of a batch gets.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "worker/model/model.h"

namespace jobd::worker {

struct WatchUpdate {
  BatchView batch;
  std::vector<JobView> jobs;  // first: up to 1000 live ones; later: those that changed since the last update
  bool finished = false;      // the batch has ended; nothing comes after this
};

// One watcher. Used as LogSession is: Next gives what changed; an empty optional means that Arm should be called.
class BatchWatch {
 public:
  virtual ~BatchWatch() = default;
  virtual base::Result<std::optional<WatchUpdate>> Next() = 0;
  virtual void Arm(std::function<void()> wake) = 0;
};

}  // namespace jobd::worker
