#include "auth/password_hash.h"

#include <charconv>
#include <string>

namespace jobd::auth {

namespace {

base::Error Wrong(std::string problem) { return {base::Code::kInvalidArgument, std::move(problem)}; }

// Takes `what` off the front of text.
bool Skip(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

// A decimal number without a leading zero, as the writers of these texts have it.
bool TakeNumber(std::string_view& text, uint32_t& number) {
  if (text.starts_with('0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// Base64 without padding, of exactly `bytes` bytes.
bool IsBase64(std::string_view text, size_t bytes) {
  if (text.size() != (bytes * 8 + 5) / 6) return false;
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return text.find_first_not_of(kAlphabet) == std::string_view::npos;
}

}  // namespace

base::Result<HashCost> ParsePasswordHash(std::string_view text) {
  constexpr size_t kSaltBytes = 16;
  constexpr size_t kHashBytes = 32;
  HashCost cost;
  if (!Skip(text, "$argon2id$")) return Wrong("must be an argon2id hash");
  if (!Skip(text, "v=19$")) return Wrong("must be an argon2id hash of version 19");
  const bool shaped = Skip(text, "m=") && TakeNumber(text, cost.memory_kib) && Skip(text, ",t=") && TakeNumber(text, cost.passes);
  if (!shaped || !Skip(text, ",p=")) return Wrong("is not a whole argon2id hash");
  if (!Skip(text, "1$")) return Wrong("must be an argon2id hash of one lane (p=1)");
  const size_t dollar = text.find('$');
  if (dollar == std::string_view::npos || !IsBase64(text.substr(0, dollar), kSaltBytes) ||
      !IsBase64(text.substr(dollar + 1), kHashBytes)) {
    return Wrong("is not a whole argon2id hash: a salt of 16 bytes and a hash of 32 belong to it");
  }
  if (cost.memory_kib < kLeastHashCost.memory_kib || cost.passes < kLeastHashCost.passes) {
    return Wrong("is an argon2id hash that is too cheap to guess: at least m=" + std::to_string(kLeastHashCost.memory_kib));
  }
  if (cost.memory_kib > kMostHashCost.memory_kib || cost.passes > kMostHashCost.passes) {
    return Wrong("is an argon2id hash that costs too much to check: at most m=" + std::to_string(kMostHashCost.memory_kib) +
                 ",t=" + std::to_string(kMostHashCost.passes));
  }
  return cost;
}

}  // namespace jobd::auth
