#include "base/uuid7.h"

#include <openssl/rand.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/text.h"

namespace jobd::base {

std::string MakeUuid7(Nanos now) {
  std::array<unsigned char, 16> id{};
  // RAND_bytes fails only when the system has no entropy source at all; the time alone is then still an ID, and a clash is refused
  // as ALREADY_EXISTS rather than mixed up.
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1) id.fill(0);
  const auto millis = static_cast<uint64_t>(now / kNanosPerMilli);
  for (size_t i = 0; i < 6; ++i) id[i] = static_cast<unsigned char>(millis >> (8 * (5 - i)));
  id[6] = static_cast<unsigned char>((id[6] & 0x0f) | 0x70);
  id[8] = static_cast<unsigned char>((id[8] & 0x3f) | 0x80);
  std::string text = Hex(std::as_bytes(std::span(id)));
  for (const size_t dash : {8u, 13u, 18u, 23u}) text.insert(dash, "-");
  return text;
}

}  // namespace jobd::base
