// inotify, for callers that have a thread to read it on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::worker {

// Ends a watch when destroyed. Its callback may then be running on another thread, or run once more: what it captures has to
// outlive that.
class FileWatch {
 public:
  virtual ~FileWatch() = default;
};

// Thread-safe, but for Dispatch, which is one thread's, and the destructor: all watches must be gone before.
class FileEvents {
 public:
  // `name`: the entry of a watched folder; empty for a watched file. Must not block.
  using Callback = std::function<void(std::string_view name)>;

  static base::Result<std::unique_ptr<FileEvents>> Create();
  virtual ~FileEvents() = default;

  // Readable when there is something to dispatch.
  virtual int fd() const = 0;
  // Calls back for what has happened; does not wait.
  virtual void Dispatch() = 0;
  // The file is written to. dir is borrowed for the call.
  virtual base::Result<std::unique_ptr<FileWatch>> WatchFile(int dir, const std::string& name, Callback changed) = 0;
  // A file comes into being in the folder.
  virtual base::Result<std::unique_ptr<FileWatch>> WatchFolder(int dir, Callback created) = 0;
};

}  // namespace jobd::worker
