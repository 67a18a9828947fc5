// Tells sessions that jobs of a batch changed.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "worker/watch/waker.h"

namespace jobd::worker {

// What one session has not looked at yet. Thread-safe.
class Subscription {
 public:
  explicit Subscription(std::shared_ptr<Waker> waker) : waker_(std::move(waker)) {}

  void Add(uint32_t index) {
    {
      const std::lock_guard lock(mutex_);
      if (index == 0) {
        batch_changed_ = true;
      } else {
        changed_.insert(index);
        if (quiet_) return;
      }
    }
    waker_->Notify();
  }
  // Quiet: changes of single jobs are collected without waking anybody.
  void SetQuiet(bool quiet) {
    const std::lock_guard lock(mutex_);
    quiet_ = quiet;
  }
  // At most `limit` indexes that changed since they were last taken, lowest first.
  std::vector<uint32_t> Take(size_t limit);
  // Whether something changed since then that was not told by index.
  bool TakeBatch();

 private:
  const std::shared_ptr<Waker> waker_;
  std::mutex mutex_;
  std::set<uint32_t> changed_;
  bool batch_changed_ = false;
  bool quiet_ = false;
};

// Thread-safe.
class ChangeBus {
 public:
  // Lasts as long as the subscription is held.
  std::shared_ptr<Subscription> Subscribe(uint64_t batch, std::shared_ptr<Waker> waker);
  // index 0: the batch as a whole, its end for one, or very many of its jobs. Call it when readers can see the change. Cheap when
  // nobody listens.
  void Publish(uint64_t batch, uint32_t index);

 private:
  std::mutex mutex_;
  std::unordered_map<uint64_t, std::vector<std::weak_ptr<Subscription>>> subscriptions_;
};

}  // namespace jobd::worker
