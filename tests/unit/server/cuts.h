// How much is cut in the tests that cut connections.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace jobd::server::testing {

// Streams; JOBD_CUTS has more cut, for a soak.
inline size_t Cuts() {
  const char* const asked = std::getenv("JOBD_CUTS");
  return asked == nullptr ? 5000 : std::strtoul(asked, nullptr, 10);
}

// As many of the rounds of a test as belong to it.
inline int Rounds(int usual) { return static_cast<int>(std::max<size_t>(1, static_cast<size_t>(usual) * Cuts() / 5000)); }

}  // namespace jobd::server::testing
