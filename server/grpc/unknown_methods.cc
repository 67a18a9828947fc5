#include "server/grpc/unknown_methods.h"

#include "server/auth/access.h"
#include "server/grpc/connections/transport_watch.h"
#include "server/grpc/grpc_call.h"
#include "server/grpc/grpc_status.h"

namespace jobd::server {
namespace {

// Refuses, and waits for gRPC to have done with the call. Owns itself.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(grpc::Status status) { Finish(std::move(status)); }

 private:
  void OnCancel() override {}
  void OnDone() override { delete this; }
};

class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  UnknownMethods(AccessControl& access, ConnectionGuard& guard, OnUnknownMethod on_refused)
      : access_(access), guard_(guard), on_refused_(std::move(on_refused)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto certificate = CertificateOf(*context->auth_context());
    const auto caller = access_.Authenticate(certificate);
    const grpc::Status status =
        caller.ok() ? grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "unknown method") : ToGrpcStatus(ToPublic(caller.error()));
    if (on_refused_) {
      const std::string peer = context->peer();
      on_refused_({.path = context->method(),
                   .caller = caller.ok() ? std::string_view(caller->name()) : std::string_view(),
                   .peer = peer,
                   .certificate = certificate,
                   .code = caller.ok() ? "UNIMPLEMENTED" : base::CodeName(caller.error().code()),
                   .text = status.error_message()});
    }
    guard_.OnMisuse(ConnectionOf(*context->auth_context()));
    return new Refusal(status);
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
