// "did you mean": the name a person probably had in mind.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobd::base {

namespace suggest_internal {

// Levenshtein's distance; a swap of neighbours counts as one, for it is one slip of the fingers.
inline size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last;
  std::vector<size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t> row(b.size() + 1);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last.back();
}

}  // namespace suggest_internal

// " (did you mean 'env_file'?)" when one of `names` is a typing error away from `word`, or begins with it, else "".
inline std::string DidYouMean(std::string_view word, const std::vector<std::string>& names) {
  constexpr size_t kLongest = 64;  // a longer word is no slip, and the time grows with the square of the length
  if (word.size() > kLongest) return "";
  constexpr size_t kShortestBeginning = 3;
  const size_t without_dashes = word.size() - std::min(word.find_first_not_of('-'), word.size());
  const std::string* best = nullptr;
  size_t best_distance = 0;
  const std::string* longer = nullptr;  // the shortest that begins with the word
  for (const std::string& name : names) {
    const bool begins = without_dashes >= kShortestBeginning && name.starts_with(word);
    if (begins && (longer == nullptr || name.size() < longer->size())) longer = &name;
    const size_t distance = suggest_internal::Distance(word, name);
    const size_t allowed = std::max<size_t>(1, std::min(word.size(), name.size()) / 3);
    if (distance <= allowed && (best == nullptr || distance < best_distance)) {
      best = &name;
      best_distance = distance;
    }
  }
  if (longer != nullptr && (best == nullptr || best_distance > 1)) best = longer;
  return best == nullptr ? "" : " (did you mean '" + *best + "'?)";
}

}  // namespace jobd::base
