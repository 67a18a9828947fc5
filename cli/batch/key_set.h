// Finds a key that is in a map twice, while the map is read.
#pragma once

#include <string>
#include <unordered_set>

#include "cli/batch/document.h"

namespace jobd::cli {

// Of one map. Most have few keys, which are looked through; of more a set is kept, so that a file of long maps takes no time that
// grows with their square.
class KeySet {
 public:
  // Whether `key` is none of the map's, whose entries so far have all been added here.
  bool Add(const Node& map, const std::string& key) {
    if (map.entries.size() < kFew) return map.Find(key) == nullptr;
    if (known_.empty()) {
      for (const auto& [name, value] : map.entries) known_.insert(name);
    }
    return known_.insert(key).second;
  }

 private:
  static constexpr size_t kFew = 32;
  std::unordered_set<std::string> known_;
};

}  // namespace jobd::cli
