// The text that stands for a password in the users file: "$argon2id$v=19$m=65536,t=2,p=1$SALT$HASH", as argon2(1) and libsodium
// write it. Read and bounded here, before anything is spent on it: whoever checks a password pays what this text asks for.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace jobd::auth {

// What one hash costs.
struct HashCost {
  uint32_t memory_kib = 64 * 1024;
  uint32_t passes = 2;
  bool operator==(const HashCost&) const = default;
};

// What is accepted from a users file. Below: too cheap to guess. Above: a planted text could take the machine's memory or hours.
inline constexpr HashCost kLeastHashCost{.memory_kib = 8 * 1024, .passes = 1};
inline constexpr HashCost kMostHashCost{.memory_kib = 128 * 1024, .passes = 16};

// The cost that `text` names. kInvalidArgument, as a sentence part, when it is no such text, of another version or algorithm, of
// more than one lane (which libsodium does not do), with salt or hash of unusual length, or beyond the bounds above.
base::Result<HashCost> ParsePasswordHash(std::string_view text);

}  // namespace jobd::auth
