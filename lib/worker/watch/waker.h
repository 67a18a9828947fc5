// Wakes one waiter when something it looks at has changed; the meeting point of sessions with what changes under them.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace jobd::worker {

// Thread-safe. A waiter clears it, looks, and arms it; whatever happened since the clearing wakes it at once, so that nothing is
// missed between looking and waiting.
class Waker {
 public:
  // Something changed. May be called at any time, from any thread; calls the armed function, which may arm again.
  void Notify() {
    std::unique_lock lock(mutex_);
    changed_ = true;
    Fire(lock);
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    changed_ = false;
  }
  void Arm(std::function<void()> wake) {
    std::unique_lock lock(mutex_);
    wake_ = std::move(wake);
    Fire(lock);
  }
  // When this returns the function is not running, unless it is the caller, and will not.
  void Disarm() {
    std::unique_lock lock(mutex_);
    wake_ = nullptr;
    idle_.wait(lock, [this] { return !running_ || caller_ == std::this_thread::get_id(); });
  }

 private:
  // Calls what is armed if something changed, without the lock: the function may do as it likes with this object. One thread calls
  // at a time; what is armed or changes meanwhile is left to it.
  void Fire(std::unique_lock<std::mutex>& lock) {
    if (running_) return;
    running_ = true;
    caller_ = std::this_thread::get_id();
    while (changed_ && wake_) {
      const auto wake = std::exchange(wake_, nullptr);
      lock.unlock();
      wake();
      lock.lock();
    }
    running_ = false;
    idle_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable idle_;
  bool changed_ = false;
  bool running_ = false;
  std::thread::id caller_;  // while running_
  std::function<void()> wake_;
};

}  // namespace jobd::worker
