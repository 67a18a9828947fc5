// What answers calls of methods that do not exist.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>
#include <string_view>

#include "server/grpc/connections/connection_guard.h"

namespace jobd::server {

struct UnknownMethod {
  std::string_view path;
  std::string_view caller;  // its name, if there is one
  std::string_view peer;    // its address, in gRPC's form
  std::string_view certificate;
  std::string_view code;
  std::string_view text;
};
// Told of each refusal. Must be thread-safe and must not block.
using OnUnknownMethod = std::function<void(const UnknownMethod& refused)>;

// UNAUTHENTICATED to strangers, UNIMPLEMENTED to others; a misuse in either case. `access` and `guard` outlive the result.
std::unique_ptr<grpc::CallbackGenericService> MakeUnknownMethods(AccessControl& access, ConnectionGuard& guard,
                                                                 OnUnknownMethod on_refused);

}  // namespace jobd::server
