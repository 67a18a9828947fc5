// The planner of retention: which ended batches have to go, by the rules. Reads the store; deletes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/model/limits.h"
#include "worker/model/service_status.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Batches that cannot go now, by id. They are passed over, and no other batch goes in their place.
using Excluded = std::map<uint64_t, BatchView>;

struct Expired {
  std::vector<BatchView> batches;          // those of each owner, and then those of all, in the order of their ends
  std::optional<base::Nanos> next_expiry;  // wall clock: when the next one comes of age, if nothing else happens
};

// At most `limit` batches: when there are as many, there may be more to go, and next_expiry says nothing. `now` is the wall clock.
base::Result<Expired> FindExpired(RetentionReader& reader, const Retention& rules, const Excluded& excluded, base::Nanos now,
                                  size_t limit);

}  // namespace jobd::worker
