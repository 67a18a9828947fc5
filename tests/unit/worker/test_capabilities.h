// The capabilities of a launcher that is root on a machine which can do everything.
#pragma once

#include "launch/contract/capabilities.h"

namespace jobd::worker {

inline launch::Capabilities TestCapabilities() {
  return {.profiles = {{.name = "open"},
                       {.name = "standard", .private_tmp = true, .tmp_bytes = 1ull << 30},
                       {.name = "strict", .private_tmp = true, .tmp_bytes = 1ull << 30}},
          .missing_limits = {}};
}

}  // namespace jobd::worker
