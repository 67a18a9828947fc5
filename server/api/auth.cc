#include "server/api/auth_service.h"

#include "server/grpc/grpc_call.h"

namespace jobd::server {

grpc::ServerUnaryReactor* AuthService::WhoAmI(grpc::CallbackServerContext* context, const jobd::v1::WhoAmIRequest* /*request*/,
                                              jobd::v1::WhoAmIResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AuthService/WhoAmI", [&](UnaryCall& call) {
    response->set_name(call.caller().name());
    response->set_role(std::string(config::RoleName(call.caller().role())));
    call.Succeed();
  });
}

}  // namespace jobd::server
