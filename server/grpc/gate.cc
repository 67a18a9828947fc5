#include "server/grpc/gate.h"

#include "server/auth/access.h"
#include "server/auth/access_table.h"
#include "server/grpc/grpc_status.h"

namespace jobd::server {

Gate::Gate(AccessControl& access, OnRefused on_refused) : access_(access), on_refused_(std::move(on_refused)) {}

grpc::Status Gate::Check(std::string_view certificate_pem, std::string_view path) const {
  const auto refuse = [&](std::string_view caller, grpc::Status status) {
    if (on_refused_) on_refused_(path, caller, status);
    return status;
  };
  const auto caller = access_.Authenticate(certificate_pem);
  if (!caller.ok()) return refuse("", ToGrpcStatus(caller.error()));
  const Rule* rule = FindRule(path);
  if (rule == nullptr) return refuse(caller->name(), {grpc::StatusCode::UNIMPLEMENTED, "unknown method"});
  if (rule->For(caller->role()) == Reach::kNone) {
    return refuse(caller->name(), {grpc::StatusCode::PERMISSION_DENIED, "your role does not allow this"});
  }
  return grpc::Status::OK;
}

}  // namespace jobd::server
