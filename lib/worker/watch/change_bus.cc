#include "worker/watch/change_bus.h"

#include <algorithm>

namespace jobd::worker {

std::vector<uint32_t> Subscription::Take(size_t limit) {
  const std::lock_guard lock(mutex_);
  auto end = changed_.begin();
  for (size_t i = 0; i < limit && end != changed_.end(); ++i) ++end;
  std::vector<uint32_t> taken(changed_.begin(), end);
  changed_.erase(changed_.begin(), end);
  return taken;
}

bool Subscription::TakeBatch() {
  const std::lock_guard lock(mutex_);
  return std::exchange(batch_changed_, false);
}

std::shared_ptr<Subscription> ChangeBus::Subscribe(uint64_t batch, std::shared_ptr<Waker> waker) {
  auto subscription = std::make_shared<Subscription>(std::move(waker));
  const std::lock_guard lock(mutex_);
  auto& list = subscriptions_[batch];
  // Those that are gone are removed here and in Publish: a batch that is followed again and again does not collect them.
  std::erase_if(list, [](const auto& old) { return old.expired(); });
  list.push_back(subscription);
  return subscription;
}

void ChangeBus::Publish(uint64_t batch, uint32_t index) {
  std::vector<std::shared_ptr<Subscription>> live;
  {
    const std::lock_guard lock(mutex_);
    const auto found = subscriptions_.find(batch);
    if (found == subscriptions_.end()) return;
    std::erase_if(found->second, [&](const auto& weak) {
      auto subscription = weak.lock();
      if (!subscription) return true;
      live.push_back(std::move(subscription));
      return false;
    });
    if (found->second.empty()) subscriptions_.erase(found);
  }
  for (const auto& subscription : live) subscription->Add(index);
}

}  // namespace jobd::worker
