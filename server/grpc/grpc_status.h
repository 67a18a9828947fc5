// How gRPC shows an error: the one place where a PublicError becomes a grpc::Status.
#pragma once

#include <grpcpp/support/status.h>

#include "server/rpc/public_error.h"

namespace jobd::server {

// The code of the same name. Violations travel as google.rpc.BadRequest in the details.
grpc::Status ToGrpcStatus(const PublicError& error);
grpc::Status ToGrpcStatus(const CallEnd& end);

}  // namespace jobd::server
