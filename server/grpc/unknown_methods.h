// What answers calls of methods that do not exist.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>
#include <string_view>

#include "server/grpc/connection_guard.h"

namespace jobd::server {

// Told of each refusal: the path, the caller's name if there is one, the code's name and the text. Must be thread-safe and must not
// block.
using OnUnknownMethod =
    std::function<void(std::string_view path, std::string_view caller, std::string_view code, std::string_view text)>;

// UNAUTHENTICATED to strangers, UNIMPLEMENTED to others. `access` and `guard` outlive the result.
std::unique_ptr<grpc::CallbackGenericService> MakeUnknownMethods(AccessControl& access, ConnectionGuard& guard,
                                                                 OnUnknownMethod on_refused);

}  // namespace jobd::server
