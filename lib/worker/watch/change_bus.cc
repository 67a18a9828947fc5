#include "worker/watch/change_bus.h"

#include <algorithm>
#include <utility>

namespace jobd::worker {

void Subscription::Add(uint32_t index) {
  {
    const auto state = state_.Lock();
    if (index == 0) {
      state->batch_changed = true;
    } else {
      state->changed.insert(index);
      if (state->quiet) return;
    }
  }
  waker_->Notify();
}

std::vector<uint32_t> Subscription::Take(size_t limit) {
  const auto state = state_.Lock();
  auto& changed = state->changed;
  const auto end = std::next(changed.begin(), static_cast<std::ptrdiff_t>(std::min(limit, changed.size())));
  std::vector<uint32_t> taken(changed.begin(), end);
  changed.erase(changed.begin(), end);
  return taken;
}

bool Subscription::TakeBatch() { return std::exchange(state_.Lock()->batch_changed, false); }

std::shared_ptr<Subscription> ChangeBus::Subscribe(uint64_t batch, std::shared_ptr<Waker> waker) {
  auto subscription = std::make_shared<Subscription>(std::move(waker));
  const auto subscriptions = subscriptions_.Lock();
  auto& list = (*subscriptions)[batch];
  // Those that are gone are removed here and in Publish: a batch that is followed again and again does not collect them.
  std::erase_if(list, [](const auto& old) { return old.expired(); });
  list.push_back(subscription);
  return subscription;
}

void ChangeBus::Publish(uint64_t batch, uint32_t index) {
  std::vector<std::shared_ptr<Subscription>> live;
  {
    const auto subscriptions = subscriptions_.Lock();
    const auto found = subscriptions->find(batch);
    if (found == subscriptions->end()) return;
    std::erase_if(found->second, [&](const auto& weak) {
      auto subscription = weak.lock();
      if (!subscription) return true;
      live.push_back(std::move(subscription));
      return false;
    });
    if (found->second.empty()) subscriptions->erase(found);
  }
  for (const auto& subscription : live) subscription->Add(index);
}

}  // namespace jobd::worker
