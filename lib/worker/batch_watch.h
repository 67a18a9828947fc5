// Follows the states of a batch.
#pragma once

#include <memory>

#include "base/result.h"
#include "worker/changes.h"
#include "worker/live_table.h"
#include "worker/store.h"
#include "worker/worker.h"

namespace jobd::worker {

// `store`, `live` and `changes` are borrowed and outlive the watch.
base::Result<std::unique_ptr<BatchWatch>> OpenBatchWatch(Store& store, const LiveTable& live, Changes& changes,
                                                         const BatchName& batch);

}  // namespace jobd::worker
