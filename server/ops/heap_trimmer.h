// Gives memory back to the kernel after a burst of calls.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <thread>

#include "base/guarded.h"

namespace jobd::server {

// What calls have freed stays with malloc, which gives back only what lies at the end of its heaps: a flood of a second would be in
// memory for ever. So this looks two seconds after calls, and every two seconds while there are any, and has malloc give back what
// is free when that is much. Asleep while nothing is called. Thread-safe. Runs a thread named "memory".
class HeapTrimmer {
 public:
  HeapTrimmer();
  ~HeapTrimmer();
  HeapTrimmer(const HeapTrimmer&) = delete;
  HeapTrimmer& operator=(const HeapTrimmer&) = delete;

  // A call is over. Costs next to nothing.
  void OnUsed() {
    if (!used_.load(std::memory_order_relaxed) && !used_.exchange(true)) Wake();
  }

 private:
  void Wake();
  void Run();
  void TrimIfWorthIt(bool busy);

  std::atomic<bool> used_ = false;
  uint64_t left_after_trim_ = 0;  // resident; the thread's own
  base::Guarded<bool> stop_{false};
  std::condition_variable changed_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace jobd::server
