// Tells a log session that there is more to read: states of jobs have changed, or index files have grown.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/watch/change_bus.h"
#include "worker/watch/file_watcher.h"

namespace jobd::worker {

// Used by one thread at a time; changes come in on others. Without follow it watches nothing.
class LogFeed {
 public:
  // `changes`, `watcher` and `clock` are borrowed and outlive the feed.
  LogFeed(ChangeBus& changes, FileWatcher& watcher, const base::Clock& clock, uint64_t batch, bool follow);
  // When it returns the armed function is not running and will not.
  ~LogFeed();

  void Clear() { waker_->Clear(); }
  void Notify() { waker_->Notify(); }
  void Arm(std::function<void()> wake) { waker_->Arm(std::move(wake)); }

  // Files that come into being in the batch's folder. kResourceExhausted: the user's inotify watches are used up.
  base::Status WatchFolder(int folder);
  // A job's index. Empty when it is not there yet: the folder tells when it is.
  base::Result<std::unique_ptr<FileWatch>> WatchIndex(int folder, uint32_t index);

  // Whether everything that arrived by this time can be read by now. If not, the session is woken when it can.
  bool HasPassed(base::Nanos time);

  struct Changed {
    std::vector<uint32_t> states;
    std::vector<uint32_t> bytes;
  };
  // Jobs whose state changed, and jobs whose index grew, since the last call.
  Changed Take();
  // Whether anything of the batch changed that was not told as a job.
  bool BatchChanged() { return std::exchange(batch_changed_, false); }

 private:
  FileWatcher& watcher_;
  const base::Clock& clock_;
  const bool follow_;
  bool batch_changed_ = false;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<Subscription> states_;
  const std::shared_ptr<Subscription> bytes_;
  std::unique_ptr<FileWatch> folder_watch_;
  std::unique_ptr<WakeTimer> timer_;
};

}  // namespace jobd::worker
