// What a client is told whose request is no message of the API: bytes that do not parse, or a text that is not UTF-8.
#pragma once

#include <memory>
#include <string_view>

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}

namespace jobd::server {

inline constexpr std::string_view kMalformedRequest = "the request is not a well-formed message (every text must be UTF-8)";

// gRPC refuses what it cannot parse with UNIMPLEMENTED and no text, before any code of ours; this makes INVALID_ARGUMENT of that.
// Calls of methods that are not there never come here.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MalformedRequests();

}  // namespace jobd::server
