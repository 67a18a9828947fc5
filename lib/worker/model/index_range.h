// Jobs of a batch that are next to each other, told as one: what is done to them is one statement, however many they are.
#pragma once

#include <cstdint>
#include <vector>

namespace jobd::worker {

struct IndexRange {
  uint32_t first = 0;
  uint32_t last = 0;
  bool operator==(const IndexRange&) const = default;
};

// The fewest ranges that hold these and nothing else. `indexes` in rising order, each once.
inline std::vector<IndexRange> RangesOf(const std::vector<uint32_t>& indexes) {
  std::vector<IndexRange> ranges;
  for (const uint32_t index : indexes) {
    if (!ranges.empty() && ranges.back().last + 1 == index) {
      ranges.back().last = index;
    } else {
      ranges.push_back({.first = index, .last = index});
    }
  }
  return ranges;
}

}  // namespace jobd::worker
