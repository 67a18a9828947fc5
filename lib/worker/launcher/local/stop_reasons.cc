#include "worker/launcher/local/stop_reasons.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace jobd::worker {
namespace {

constexpr std::string_view kBegin = "stop 1";
constexpr size_t kNumbers = 6;  // index, attempt, code, and the lengths of the three texts

// " N" at the beginning of the text.
bool TakeNumber(std::string_view& text, uint32_t& number) {
  if (!text.starts_with(' ')) return false;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool TakeText(std::string_view& text, uint32_t size, std::string& into) {
  if (size > text.size()) return false;
  into = text.substr(0, size);
  text.remove_prefix(size);
  return true;
}

}  // namespace

std::string EncodeStops(const std::vector<launch::JobKey>& attempts, const Reason& why) {
  std::string all;
  for (const launch::JobKey& key : attempts) {
    all += kBegin;
    for (const size_t number : {size_t{key.index}, size_t{key.attempt}, static_cast<size_t>(why.code), why.text.size(),
                                why.by.size(), why.detail.size()}) {
      all += ' ' + std::to_string(number);
    }
    all += '\n' + why.text + why.by + why.detail + '\n';
  }
  return all;
}

Stops DecodeStops(std::string_view text) {
  Stops stops;
  while (text.starts_with(kBegin)) {
    text.remove_prefix(kBegin.size());
    std::array<uint32_t, kNumbers> numbers{};
    bool good = true;
    for (uint32_t& number : numbers) good = good && TakeNumber(text, number);
    const auto& [index, attempt, code, text_size, by_size, detail_size] = numbers;
    Reason why;
    good = good && text.starts_with('\n') && code <= UINT8_MAX;
    if (good) text.remove_prefix(1);
    good =
        good && TakeText(text, text_size, why.text) && TakeText(text, by_size, why.by) && TakeText(text, detail_size, why.detail);
    if (!good || !text.starts_with('\n')) break;  // cut off by a crash
    text.remove_prefix(1);
    why.code = static_cast<ReasonCode>(code);
    const bool stops_jobs =
        why.code == ReasonCode::kCancelledByUser || why.code == ReasonCode::kCancelledByStop || why.code == ReasonCode::kFailFast;
    if (stops_jobs) stops.emplace(std::pair(index, attempt), std::move(why));
  }
  return stops;
}

}  // namespace jobd::worker
