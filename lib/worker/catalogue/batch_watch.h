// Follows the states of a batch.
#pragma once

#include <memory>

#include "base/result.h"
#include "worker/catalogue/watch_update.h"
#include "worker/store/store.h"
#include "worker/watch/change_bus.h"
#include "worker/watch/file_watcher.h"
#include "worker/watch/live_overlay.h"

namespace jobd::worker {

// All but `batch` are borrowed and outlive the watch. The first updates come as things happen; when many follow each other, at most
// one in 50 ms, which tells of all of them: a watcher must cost little beside the jobs it watches. The end is told at once.
base::Result<std::unique_ptr<BatchWatch>> OpenBatchWatch(Store& store, const LiveOverlay& live, ChangeBus& changes,
                                                         FileWatcher& watcher, const BatchName& batch);

}  // namespace jobd::worker
