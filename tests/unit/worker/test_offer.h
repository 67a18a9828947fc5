// What a launcher offers that is root on a machine which can do everything.
#pragma once

#include "launch/contract/offer.h"

namespace jobd::worker {

inline launch::Offer TestOffer() {
  return {.profiles = {{.name = "open"},
                       {.name = "standard", .private_tmp = true, .tmp_bytes = 1ull << 30},
                       {.name = "strict", .private_tmp = true, .tmp_bytes = 1ull << 30}},
          .missing_limits = {}};
}

}  // namespace jobd::worker
