// AdminService of the API.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "jobd/v1/admin_service.grpc.pb.h"
#include "launch/contract/frames.h"
#include "server/api/api.h"

namespace jobd::server {

class Reloader;
class TlsState;

class AdminService final : public jobd::v1::AdminService::CallbackService {
 public:
  // What the launcher and the start say about this process. Does not change.
  struct About {
    base::Nanos started_at = 0;  // wall clock
    uint32_t server_restarts = 0;
    std::vector<launch::HelloAck::Capability> capabilities;
  };
  // All outlive it.
  AdminService(const Backend& backend, Reloader& reloader, const TlsState& tls, const base::Clock& clock, About about);

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  Unary* Start(Context* context, const jobd::v1::StartRequest* request, jobd::v1::StartResponse* response) override;
  Unary* Stop(Context* context, const jobd::v1::StopRequest* request, jobd::v1::StopResponse* response) override;
  Unary* Drain(Context* context, const jobd::v1::DrainRequest* request, jobd::v1::DrainResponse* response) override;
  Unary* GetStatus(Context* context, const jobd::v1::GetStatusRequest* request, jobd::v1::GetStatusResponse* response) override;
  Unary* Reload(Context* context, const jobd::v1::ReloadRequest* request, jobd::v1::ReloadResponse* response) override;
  Unary* GetConfig(Context* context, const jobd::v1::GetConfigRequest* request, jobd::v1::GetConfigResponse* response) override;

 private:
  const Backend& backend_;
  Reloader& reloader_;
  const TlsState& tls_;
  const base::Clock& clock_;
  const base::Nanos started_;  // monotonic
  const About about_;
};

}  // namespace jobd::server
