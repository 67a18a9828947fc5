// How many jobs live at once, by the launcher's own count. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "launch/launcher/policy.h"

namespace jobd::launch {

// A server that was taken over could ask for any number of jobs. One that keeps to the policy does not meet these bounds: they are
// twice what may run, as it starts the next job on seeing how the one before ended, when the shim of that may not yet have told us;
// and some more. Not thread-safe.
class JobCount {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Beyond what may run twice: in all, and of one owner.
  static constexpr size_t kOverlap = 64;
  static constexpr size_t kOwnersOverlap = 16;
  // After a reload, what may run is the more of both policies for so long: the server takes the new one after us, and goes on by
  // the old one until then.
  static constexpr std::chrono::seconds kBothHold{30};

  explicit JobCount(const Policy& policy) : now_(BoundsOf(policy)) {}

  // In force from now on. Jobs beyond it live on.
  void SetPolicy(const Policy& policy, Time now);
  // Why no job of this owner may be started now: the policy's bound, for a person. None: it may.
  std::optional<std::string> Exceeds(const std::string& owner, Time now) const;
  void Add(const std::string& owner);
  void Remove(const std::string& owner);

 private:
  // 0: no bound.
  struct Bounds {
    uint32_t all = 0;
    std::map<std::string, uint32_t, std::less<>> owners;  // those with one
  };
  static Bounds BoundsOf(const Policy& policy);

  Bounds now_;
  Bounds before_;
  Time before_until_{};
  size_t live_ = 0;
  std::map<std::string, size_t, std::less<>> live_of_;
};

}  // namespace jobd::launch
