// A uid of its own for every live job, from a range that belongs to jobd alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>

namespace jobd::launch {

// Not thread-safe. Uids go round, so that one is used again as late as possible.
class UidPool {
 public:
  // Uids first .. first + count - 1; count > 0. `start` says where in the range to begin, any number.
  UidPool(uid_t first, uint32_t count, uint32_t start) : first_(first), count_(count), next_(start % count) {}

  // A free uid, which is now taken; nothing when all are.
  std::optional<uid_t> Take();
  // Marks a uid that was found in use as taken. One outside the range is ignored.
  void Mark(uid_t uid);
  void Release(uid_t uid) { taken_.erase(uid); }

 private:
  uid_t first_;
  uint32_t count_;
  uint32_t next_;
  std::set<uid_t> taken_;
};

}  // namespace jobd::launch
