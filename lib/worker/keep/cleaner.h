// Work that takes as long as a disk likes and that nobody waits for closely: deleting files, compressing them. One thread, `clean`,
// in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/thread_name.h"

namespace jobd::worker {

// Thread-safe.
class Cleaner {
 public:
  Cleaner() : thread_([this] { Run(); }) {}
  ~Cleaner() { Shutdown(); }
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // After Shutdown: does nothing.
  void Post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      waiting_.push_back(std::move(work));
    }
    wake_.notify_one();
  }
  // True from Shutdown on: long work is given up where it can be.
  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }
  // Ends the thread after what it is doing; what waits is not done.
  void Shutdown() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    base::NameThisThread("clean");
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      const auto work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace jobd::worker
