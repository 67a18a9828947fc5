// gRPC's status as an error of ours.
#pragma once

#include <grpcpp/support/status.h>

#include "base/result.h"

namespace jobd::cli {

// `status` must not be OK. The message ends in gRPC's name of the code: "no such batch (NOT_FOUND)". Texts of the service are
// escaped and cut; violations come from its google.rpc.BadRequest. INVALID_ARGUMENT becomes kFailedPrecondition, since
// kInvalidArgument stands for wrong usage of jobctl.
base::Error ToError(const grpc::Status& status);

}  // namespace jobd::cli
