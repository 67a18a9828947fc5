// The loop. It owns the queue, the slots, the live jobs and all else in this folder that does not say otherwise; other threads
// reach them by Post alone. Its turns come one after the other, on one of two threads: when the one waits long for a disk (Aside),
// the other takes the turns, so that the loop goes on whatever that disk does. "The loop's thread" is the one that has the turn.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "worker/launcher/launcher.h"
#include "worker/run/log_disk.h"

namespace jobd::worker {

class Loop final : public LauncherLoop {
 public:
  Loop();
  // The threads have ended.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Starts the threads, which begin with what was posted before. Once. kResourceExhausted and the like when there is no room for
  // them: none is left then, and nothing was done.
  base::Status Start();
  // Does `last` in a turn and ends both threads, when what they do aside is done; what was posted behind is dropped, as is what is
  // posted later. If they were never started, nothing is done.
  void Stop(std::function<void()> last);

  // Thread-safe.
  void Post(std::function<void()> work) override;

  // The rest is for the loop's thread, or for the one that sets things up before it runs.

  // Does `work`, which may wait for a disk, between two turns: after this one and on this thread. When it takes longer than a
  // millisecond, the other thread takes the turns meanwhile. One at a time, or nobody is left for the turns. What is dropped by
  // Stop has been destroyed when Stop returns.
  void Aside(std::function<void()> work);
  // As Aside, where nothing is done aside, else on a thread of its own: whatever the log disk does, rows are committed and turns
  // taken.
  void OnLogDisk(std::function<void()> work) override;
  // Something waits for the log disk aside: what else has to be done so is for another thread.
  bool IsAsideWithLogDisk() const;
  void After(base::Nanos delay, std::function<void()> work);
  // The clock that After goes by: monotonic, and never a test's.
  base::Nanos Now() const;
  void WatchReadable(int fd, std::function<void()> ready) override;
  void Unwatch(int fd) override;

  // Thread-safe.
  LogDisk& log_disk();

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace jobd::worker
