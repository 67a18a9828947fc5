// Tells sessions that jobs of a batch changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "worker/watch/waker.h"

namespace jobd::worker {

// What one session has not looked at yet. Thread-safe.
class Subscription {
 public:
  explicit Subscription(std::shared_ptr<Waker> waker) : waker_(std::move(waker)) {}

  // index 0: the batch as a whole.
  void Add(uint32_t index);
  // Quiet: changes of single jobs are collected without waking anybody.
  void SetQuiet(bool quiet) { state_.Lock()->quiet = quiet; }
  // At most `limit` indexes that changed since they were last taken, lowest first.
  std::vector<uint32_t> Take(size_t limit);
  // Whether something changed since then that was not told by index.
  bool TakeBatch();

 private:
  struct State {
    std::set<uint32_t> changed;
    bool batch_changed = false;
    bool quiet = false;
  };
  const std::shared_ptr<Waker> waker_;
  base::Guarded<State> state_;
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
  using ByBatch = std::unordered_map<uint64_t, std::vector<std::weak_ptr<Subscription>>>;
  base::Guarded<ByBatch> subscriptions_;
};

}  // namespace jobd::worker
