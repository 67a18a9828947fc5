#include "worker/plan/pools.h"

namespace jobd::worker {

void Pools::Resize(std::string_view name, uint32_t slots) { pools_[std::string(name)].slots = slots; }

Slot Pools::Take(std::string_view name) {
  const auto found = pools_.find(name);
  if (found == pools_.end() || found->second.used >= found->second.slots) return {};
  return Slot(found->second.used);
}

Slot Pools::TakeBeyond(std::string_view name) { return Slot(pools_[std::string(name)].used); }

uint32_t Pools::slots(std::string_view name) const {
  const auto found = pools_.find(name);
  return found == pools_.end() ? 0 : found->second.slots;
}

uint32_t Pools::used(std::string_view name) const {
  const auto found = pools_.find(name);
  return found == pools_.end() ? 0 : found->second.used;
}

}  // namespace jobd::worker
