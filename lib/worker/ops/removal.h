// A client's removal of a batch that has ended.
#pragma once

#include <functional>

#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// Removes the batch, found as it is here, which it borrows; calls back from any thread.
using BatchRemover = std::function<void(BatchView batch, Callback<bool> done)>;

// From any thread. kNotFound, kFailedPrecondition when it has not ended, and what the remover answers.
void PostRemoval(Engine& engine, BatchName batch, BatchRemover remover, Callback<bool> done);

}  // namespace jobd::worker
