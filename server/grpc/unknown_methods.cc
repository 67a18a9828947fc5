#include "server/grpc/unknown_methods.h"

#include "server/auth/access.h"
#include "server/grpc/grpc_call.h"
#include "server/grpc/grpc_status.h"

namespace jobd::server {
namespace {

// Refuses, and waits for gRPC to have done with the call. Owns itself.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  Refusal(ConnectionGuard::Call guarded, grpc::Status status) : guarded_(std::move(guarded)) { Finish(std::move(status)); }

 private:
  void OnCancel() override { guarded_.OnReset(); }
  void OnDone() override { delete this; }

  const ConnectionGuard::Call guarded_;
};

class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  UnknownMethods(AccessControl& access, ConnectionGuard& guard, OnUnknownMethod on_refused)
      : access_(access), guard_(guard), on_refused_(std::move(on_refused)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto caller = access_.Authenticate(CertificateOf(*context->auth_context()));
    const grpc::Status status =
        caller.ok() ? grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "unknown method") : ToGrpcStatus(ToPublic(caller.error()));
    if (on_refused_) {
      on_refused_(context->method(), caller.ok() ? caller->name() : "",
                  caller.ok() ? "UNIMPLEMENTED" : base::CodeName(caller.error().code()), status.error_message());
    }
    return new Refusal(guard_.Arrive(*context), status);
  }

 private:
  AccessControl& access_;
  ConnectionGuard& guard_;
  const OnUnknownMethod on_refused_;
};

}  // namespace

std::unique_ptr<grpc::CallbackGenericService> MakeUnknownMethods(AccessControl& access, ConnectionGuard& guard,
                                                                 OnUnknownMethod on_refused) {
  return std::make_unique<UnknownMethods>(access, guard, std::move(on_refused));
}

}  // namespace jobd::server
