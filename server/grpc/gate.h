// The door in front of what is not our code: gRPC's own services, and methods that do not exist.
#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <string>
#include <string_view>

namespace jobd::server {

class AccessControl;
class MethodTable;

// gRPC asks it for every call, as soon as the headers have come. A method of the table passes: GrpcCall admits it, before any
// message is received, and once more when its message comes. For all else the caller is authenticated here. Thread-safe.
class Gate {
 public:
  // Told of each refusal: the path, the caller's name if there is one, the code's name and the text. Must be thread-safe and must
  // not block.
  using OnRefused =
      std::function<void(std::string_view path, std::string_view caller, std::string_view code, std::string_view text)>;
  // Both outlive the gate.
  Gate(AccessControl& access, const MethodTable& methods, OnRefused on_refused);

  // UNAUTHENTICATED, PERMISSION_DENIED, or UNIMPLEMENTED for a method without a rule: nobody may call it, even where gRPC has a
  // handler for it. `certificate` is the client's, in PEM, as TLS has verified it.
  grpc::Status Check(std::string_view certificate, std::string_view path) const;

 private:
  AccessControl& access_;
  const MethodTable& methods_;
  const OnRefused on_refused_;
};

}  // namespace jobd::server
