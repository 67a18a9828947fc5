#include "launch/launcher/job_count.h"

#include <algorithm>

namespace jobd::launch {

namespace {

// No bound is the highest.
uint32_t HigherOf(uint32_t a, uint32_t b) { return a == 0 || b == 0 ? 0 : std::max(a, b); }

bool IsBeyond(size_t live, uint32_t may_run, size_t overlap) {
  return may_run != 0 && live >= 2 * static_cast<size_t>(may_run) + overlap;
}

}  // namespace

JobCount::Bounds JobCount::BoundsOf(const Policy& policy) {
  Bounds bounds{.all = policy.max_running, .owners = {}};
  for (const auto& [name, rights] : policy.owners) {
    if (rights.max_running != 0) bounds.owners.emplace(name, rights.max_running);
  }
  return bounds;
}

void JobCount::SetPolicy(const Policy& policy, Time now) {
  // Of several reloads one behind the other, what held before the first of them holds on.
  Bounds held = now < before_until_ ? std::move(before_) : now_;
  held.all = HigherOf(held.all, now_.all);
  for (auto it = held.owners.begin(); it != held.owners.end();) {
    const auto also = now_.owners.find(it->first);
    it->second = HigherOf(it->second, also == now_.owners.end() ? 0 : also->second);
    it = it->second == 0 ? held.owners.erase(it) : std::next(it);
  }
  before_ = std::move(held);
  before_until_ = now + kBothHold;
  now_ = BoundsOf(policy);
}

std::optional<std::string> JobCount::Exceeds(const std::string& owner, Time now) const {
  const bool both = now < before_until_;
  const uint32_t all = both ? HigherOf(now_.all, before_.all) : now_.all;
  if (IsBeyond(live_, all, kOverlap)) return "limits.max_running = " + std::to_string(all);
  const auto bound_of = [&owner](const Bounds& bounds) {
    const auto found = bounds.owners.find(owner);
    return found == bounds.owners.end() ? 0 : found->second;
  };
  const uint32_t own = both ? HigherOf(bound_of(now_), bound_of(before_)) : bound_of(now_);
  const auto live = live_of_.find(owner);
  if (live == live_of_.end() || !IsBeyond(live->second, own, kOwnersOverlap)) return std::nullopt;
  return "max_running = " + std::to_string(own) + " of " + owner;
}

void JobCount::Add(const std::string& owner) {
  ++live_;
  ++live_of_[owner];
}

void JobCount::Remove(const std::string& owner) {
  const auto found = live_of_.find(owner);
  if (found == live_of_.end()) return;
  --live_;
  if (--found->second == 0) live_of_.erase(found);
}

}  // namespace jobd::launch
