// A batch file that is parsed but not interpreted yet. From here on JSON and YAML are alike.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"

namespace jobd::cli {

struct Entry;  // a key and its value

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;          // kScalar: numbers and truth values as they are written
  bool is_text = true;         // kScalar: false when it may be a number, a truth value, …
  int line = 0;                // where it begins, from 1
  std::vector<Node> items;     // kList
  std::vector<Entry> entries;  // kMap, in the order of the file

  // The entry of a map, or nullptr.
  const Node* Find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Node value;
};

// Finds a key that stands in a map twice, while the map is read: one KeySet per map. A map of few keys is searched; of a longer one
// a set is kept, so that the time does not grow with the square of its length.
class KeySet {
 public:
  // False when `map` has the key already. All entries that it has must have been added here.
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

// Bounds against attacks and accidents; what exceeds them is kInvalidArgument.
inline constexpr int kMaxDepth = 16;
inline constexpr size_t kMaxNodes = size_t{8} << 20;
inline constexpr size_t kMaxKeys = 16384;  // of one map

// One JSON text (RFC 8259); `first_line` is the number of its first line. Equal keys in a map are an error. Errors read "FILE:3:
// …".
base::Result<Node> ParseJson(std::string_view text, const std::string& file, int first_line);

// One YAML document. Aliases are expanded and maps behind `<<` merged, as long as the result stays in bounds; !!binary is decoded,
// and a tag beyond those of plain values is an error. Errors read "FILE:3: …".
base::Result<Node> ParseYaml(const std::string& text, const std::string& file);

}  // namespace jobd::cli
