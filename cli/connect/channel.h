// The mutually authenticated channel to jobd.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/connect/settings.h"

namespace jobd::cli {

// A lazy channel: TLS 1.3, jobd's certificate checked against --ca and the address, ours presented. Errors name the file that
// cannot be read.
base::Result<std::shared_ptr<grpc::Channel>> MakeChannel(const Connection& connection);

}  // namespace jobd::cli
