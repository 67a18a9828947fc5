// What must wait for a time: one timer for however many there are, set for the earliest. Pure: the caller has the clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace jobd::worker {

// Not thread-safe. Times are of any clock, but of one.
template <typename What>
class NotBefore {
 public:
  void Add(base::Nanos time, What what) {
    heap_.push_back({time, order_++, std::move(what)});
    std::push_heap(heap_.begin(), heap_.end(), IsLater);
  }
  // When the earliest is due.
  std::optional<base::Nanos> Next() const { return heap_.empty() ? std::nullopt : std::optional(heap_.front().time); }
  // Takes out what is due at `now`: the earliest first, and of one time what was added first.
  std::vector<What> TakeDue(base::Nanos now) {
    std::vector<What> due;
    while (!heap_.empty() && heap_.front().time <= now) {
      std::pop_heap(heap_.begin(), heap_.end(), IsLater);
      due.push_back(std::move(heap_.back().what));
      heap_.pop_back();
    }
    return due;
  }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    base::Nanos time = 0;
    uint64_t order = 0;
    What what;
  };
  static bool IsLater(const Entry& one, const Entry& other) {
    return one.time != other.time ? one.time > other.time : one.order > other.order;
  }

  std::vector<Entry> heap_;  // by IsLater: the earliest in front
  uint64_t order_ = 0;
};

}  // namespace jobd::worker
