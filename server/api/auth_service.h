// AuthService of the API.
#pragma once

#include "jobd/v1/auth_service.grpc.pb.h"
#include "server/api/api.h"

namespace jobd::server {

class AuthService final : public jobd::v1::AuthService::CallbackService {
 public:
  explicit AuthService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const jobd::v1::WhoAmIRequest* request,
                                   jobd::v1::WhoAmIResponse* response) override;

 private:
  const Backend& backend_;
};

}  // namespace jobd::server
