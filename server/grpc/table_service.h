// The services of the API, as gRPC registers them: made from the method table instead of generated classes.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <vector>

#include "server/grpc/connections/connection_guard.h"
#include "server/rpc/call_context.h"
#include "server/rpc/method.h"

namespace jobd::server {

// One service of gRPC's for each service in the table. The arguments outlive the result.
std::vector<std::unique_ptr<grpc::Service>> MakeServices(const CallSupport& support, const MethodTable& methods,
                                                         ConnectionGuard& guard);

}  // namespace jobd::server
