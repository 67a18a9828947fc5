// Pools of slots, by name: how many jobs may run at once. A job that runs holds one. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace jobd::worker {

// One slot of a pool. It goes back to the pool when the token ends, and when another is moved over it; the pools outlive it. Empty:
// no slot.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept : used_(std::exchange(other.used_, nullptr)) {}
  Slot& operator=(Slot&& other) noexcept {
    if (this == &other) return *this;
    GiveBack();
    used_ = std::exchange(other.used_, nullptr);
    return *this;
  }
  ~Slot() { GiveBack(); }

  explicit operator bool() const { return used_ != nullptr; }

 private:
  friend class Pools;
  explicit Slot(uint32_t& used) : used_(&used) { ++used; }
  void GiveBack() {
    if (used_ != nullptr) --*std::exchange(used_, nullptr);
  }

  uint32_t* used_ = nullptr;  // the pool's count
};

class Pools {
 public:
  // The pool of all jobs that name no other.
  static constexpr std::string_view kDefault = "default";

  Pools() = default;
  Pools(const Pools&) = delete;
  Pools& operator=(const Pools&) = delete;

  // From now on the pool has so many slots. What is taken beyond that stays taken until it is given back.
  void Resize(std::string_view name, uint32_t slots);
  // An empty token when every slot of the pool is taken, or there is no such pool.
  Slot Take(std::string_view name);
  // A slot for a job that runs whether or not there is room for it: found alive at a restart.
  Slot TakeBeyond(std::string_view name);

  uint32_t slots(std::string_view name) const;
  uint32_t used(std::string_view name) const;

 private:
  struct Pool {
    uint32_t slots = 0;
    uint32_t used = 0;
  };
  std::map<std::string, Pool, std::less<>> pools_;  // tokens point into its nodes: none is ever erased
};

}  // namespace jobd::worker
