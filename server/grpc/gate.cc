#include "server/grpc/gate.h"

#include "server/auth/access.h"
#include "server/auth/access_table.h"
#include "server/grpc/grpc_status.h"
#include "server/rpc/method.h"

namespace jobd::server {

Gate::Gate(AccessControl& access, const MethodTable& methods, OnRefused on_refused)
    : access_(access), methods_(methods), on_refused_(std::move(on_refused)) {}

grpc::Status Gate::Check(std::string_view certificate, std::string_view path) const {
  if (methods_.Find(path) != nullptr) return grpc::Status::OK;
  const auto refuse = [&](std::string_view caller, std::string_view code, grpc::Status status) {
    if (on_refused_) on_refused_(path, caller, code, status.error_message());
    return status;
  };
  const auto caller = access_.Authenticate(certificate);
  if (!caller.ok()) return refuse("", base::CodeName(caller.error().code()), ToGrpcStatus(ToPublic(caller.error())));
  const MethodRule* const rule = FindMethodRule(path);
  if (rule == nullptr) return refuse(caller->name(), "UNIMPLEMENTED", {grpc::StatusCode::UNIMPLEMENTED, "unknown method"});
  if (rule->For(caller->role()) == Scope::kNone) {
    return refuse(caller->name(), "PERMISSION_DENIED", {grpc::StatusCode::PERMISSION_DENIED, "your role does not allow this"});
  }
  return grpc::Status::OK;
}

}  // namespace jobd::server
