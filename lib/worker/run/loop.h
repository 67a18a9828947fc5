// The thread `loop`. It owns the queue, the slots, the live jobs and all else in this folder that does not say otherwise; other
// threads reach them by Post alone.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "worker/launcher/launcher.h"

namespace jobd::worker {

class Loop final : public LauncherLoop {
 public:
  Loop();
  // The thread has ended.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Starts the thread, which begins with what was posted before. Once.
  void Start();
  // Does `last` on the thread and ends it; what was posted behind is dropped, as is what is posted later. If the thread was never
  // started, nothing is done.
  void Stop(std::function<void()> last);

  // Thread-safe.
  void Post(std::function<void()> work) override;

  // The rest is for the loop's thread, or for the one that sets things up before it runs.
  void After(base::Nanos delay, std::function<void()> work);
  // The clock that After goes by: monotonic, and never a test's.
  base::Nanos Now() const;
  void WatchReadable(int fd, std::function<void()> ready) override;
  void Unwatch(int fd) override;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace jobd::worker
