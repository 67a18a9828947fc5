// How a method is reached over HTTP/JSON: what google.api.http says in the protos, parsed and checked.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::server {

// One route. As google/api/http.proto defines it: the path's variables and the body fill fields of the request, query parameters
// the rest.
struct HttpBinding {
  // A part of the path between slashes, or several that one variable takes.
  struct Segment {
    enum class Kind { kLiteral, kOne, kRest };  // "jobs", "*", "**"
    Kind kind = Kind::kLiteral;
    std::string literal;   // kLiteral
    std::string variable;  // the field it fills, "batch.owner"; empty: none
  };
  std::string verb;  // "GET"
  std::vector<Segment> segments;
  std::string custom_verb;    // "cancel" of "/v1/batches/{id}:cancel"
  std::string body;           // a field of the request, "*" for the whole, empty for none
  std::string response_body;  // a field of the answer; empty for the whole

  // The same for routes that take the same requests, "POST /v1/batches/*:cancel".
  std::string Route() const;
};

// All bindings of a method, the additional ones behind the main one; none when it has none. kInternal when one does not parse or
// names a field that does not exist or that text in a path cannot fill.
base::Result<std::vector<HttpBinding>> HttpBindingsOf(const google::protobuf::MethodDescriptor& method);

// "/v1/batches/{correlation_id}/jobs/{index}:signal". kInvalidArgument when it is no path template. Fills segments and custom_verb.
base::Result<HttpBinding> ParsePathTemplate(std::string_view text);

}  // namespace jobd::server
