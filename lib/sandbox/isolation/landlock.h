// Landlock, as far as this kernel has it. See landlock(7).
#pragma once

#include <cstdint>

namespace jobd::sandbox {

struct LandlockRights {
  int abi = 0;  // 0: not there
  uint64_t files = 0;
  uint64_t scopes = 0;
  uint64_t socket_scope = 0;  // of these, the one for abstract Unix sockets
};

// The rights that can be handled here.
LandlockRights DetectLandlock();

}  // namespace jobd::sandbox
