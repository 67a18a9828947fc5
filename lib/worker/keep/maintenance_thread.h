// The thread `clean`: work that takes as long as a disk likes and that nobody waits for closely, one piece after the other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::worker {

// Thread-safe, but for Start, Shutdown and SetTimer. What is posted is done in the order of the posts.
class MaintenanceThread {
 public:
  MaintenanceThread() = default;
  ~MaintenanceThread() { Shutdown(); }
  MaintenanceThread(const MaintenanceThread&) = delete;
  MaintenanceThread& operator=(const MaintenanceThread&) = delete;

  // Once. What was posted before is done then.
  void Start();
  // After Shutdown: drops the work.
  void Post(std::function<void()> work);
  // Called on this thread alone. Does `work` in so long, in place of what an earlier call has set. Time is that of the machine, so
  // a suspended machine waits longer.
  void SetTimer(base::Nanos delay, std::function<void()> work);
  // True from Shutdown on: long work is given up where it can be.
  bool stopping() const { return queue_.Lock()->stopping; }
  // Ends the thread after the piece it is doing. What waits is dropped.
  void Shutdown();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Queue {
    std::deque<std::function<void()>> waiting;
    bool stopping = false;
  };
  void Run();
  // Waits for the next piece; empty: it is time to end.
  std::function<void()> Next();

  base::Guarded<Queue> queue_;
  std::condition_variable wake_;
  // The thread's own.
  std::optional<SteadyTime> due_;
  std::function<void()> at_due_;
  std::thread thread_;
};

}  // namespace jobd::worker
