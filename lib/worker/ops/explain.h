// Answers why jobs wait: gathers what the parts of the loop know at this moment for plan/waits.h. Nothing is kept for it.
#pragma once

#include <vector>

#include "worker/model/request.h"
#include "worker/model/wait.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// In the order of the jobs asked for. See WhyItWaits.
void PostExplain(Engine& engine, WaitQuery query, Callback<std::vector<WaitReasons>> done);

}  // namespace jobd::worker
