#include "cli/connect/uuid.h"

#include <sys/random.h>

#include <array>
#include <cstddef>
#include <span>

#include "base/text.h"

namespace jobd::cli {

std::string MakeUuidV7(base::Nanos now) {
  std::array<std::byte, 16> bytes{};
  // Up to 256 bytes come whole once the kernel's generator is seeded (getrandom(2)); only an interruption while waiting for that
  // fails.
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
  const auto millis = static_cast<uint64_t>(now / base::kNanosPerMilli);
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::byte>(millis >> (40 - 8 * i) & 0xff);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x70};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = base::Hex(bytes);
  for (const size_t position : {size_t{8}, size_t{13}, size_t{18}, size_t{23}}) text.insert(position, "-");
  return text;
}

}  // namespace jobd::cli
