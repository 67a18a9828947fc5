// The one door every call comes through, before gRPC looks for its method: health and reflection, which are not our code, included.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

namespace jobd::server {

class AccessControl;

// OK when the holder of the certificate may call `path` at all; else UNAUTHENTICATED, PERMISSION_DENIED, or UNIMPLEMENTED for what
// the table of authz.h does not know. So a method without a rule has no callers even where gRPC has a handler for it. Whose batches
// a call reaches is decided in the handlers. Thread-safe.
class Gate {
 public:
  // Told of each refusal: the path, the caller's name if there is one, and the status. Must be thread-safe and must not block.
  using OnRefused = std::function<void(std::string_view path, std::string_view caller, const grpc::Status& status)>;
  // `access` outlives the gate.
  Gate(AccessControl& access, OnRefused on_refused);

  grpc::Status Check(std::string_view certificate_pem, std::string_view path) const;

 private:
  AccessControl& access_;
  OnRefused on_refused_;
};

}  // namespace jobd::server
