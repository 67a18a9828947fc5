// Data that can be reached only while its lock is held.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace jobd::base {

// Thread-safe. A pointer from Lock() holds the lock for as long as it lives: keep it short, and never keep a reference to what it
// guards. Locking twice on one thread hangs.
template <typename T>
class Guarded {
 public:
  template <typename... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  template <typename Value>
  class Pointer {
   public:
    Pointer(std::mutex& mutex, Value& value) : lock_(mutex), value_(&value) {}
    Value* operator->() const { return value_; }
    Value& operator*() const { return *value_; }
    // Gives the lock up, waits until woken and `ready` (called with the lock held), and has the lock again.
    template <typename Ready>
    void Wait(std::condition_variable& woken, Ready ready) {
      woken.wait(lock_, std::move(ready));
    }
    // As Wait, but for at most this long. False: it was not ready by then.
    template <typename Duration, typename Ready>
    bool WaitFor(std::condition_variable& woken, Duration longest, Ready ready) {
      return woken.wait_for(lock_, longest, std::move(ready));
    }

   private:
    std::unique_lock<std::mutex> lock_;
    Value* value_;
  };

  Pointer<T> Lock() { return {mutex_, value_}; }
  Pointer<const T> Lock() const { return {mutex_, value_}; }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace jobd::base
