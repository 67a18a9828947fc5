// ExecuteJob: one command, and its end if that is asked for.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "server/api/api.h"

namespace jobd::v1 {
class ExecuteJobRequest;
class ExecuteJobResponse;
}  // namespace jobd::v1

namespace jobd::server {

// With `wait` the answer comes when the job has ended; a client that leaves, or whose right ends, before that loses the answer, and
// the job goes on. `request` and `response` live as long as the call.
grpc::ServerUnaryReactor* StartExecuteCall(const Backend& backend, grpc::CallbackServerContext* context,
                                           const jobd::v1::ExecuteJobRequest& request, jobd::v1::ExecuteJobResponse* response);

}  // namespace jobd::server
