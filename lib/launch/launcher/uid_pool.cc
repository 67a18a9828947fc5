#include "launch/launcher/uid_pool.h"

namespace jobd::launch {

std::optional<uid_t> UidPool::Take() {
  for (uint32_t tried = 0; tried < count_; ++tried) {
    const uid_t uid = first_ + next_;
    next_ = (next_ + 1) % count_;
    if (taken_.insert(uid).second) return uid;
  }
  return std::nullopt;
}

void UidPool::Mark(uid_t uid) {
  if (uid >= first_ && uid - first_ < count_) taken_.insert(uid);
}

}  // namespace jobd::launch
