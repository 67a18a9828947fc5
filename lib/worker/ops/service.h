// What an administrator asks of the service: start, drain, stop.
#pragma once

#include <cstdint>
#include <string>

#include "worker/model/request.h"
#include "worker/model/service_status.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// From any thread. In force at once; the answers come on the loop, when it is recorded.
void PostStart(Engine& engine, Callback<ServiceState> done);
// New jobs are refused; when nothing waits or runs any more, the service is stopped.
void PostDrain(Engine& engine, std::string by, Callback<ServiceState> done);
// Nothing is started any more. With `now` everything that waits or runs is cancelled, too: the answer is the number of jobs, or the
// first failure, when it is all recorded and what runs has been told to end.
void PostStop(Engine& engine, bool now, std::string by, Callback<uint32_t> done);

}  // namespace jobd::worker
