// A client's signal for jobs that run.
#pragma once

#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// From any thread. Answers on the loop, with the number of jobs that it was sent to. One that has no program yet, or none any more,
// is passed over.
void PostSignal(Engine& engine, JobSelector jobs, int signal, Callback<uint32_t> done);

}  // namespace jobd::worker
