// gRPC's health checks. Whoever is answered at all is answered that the service serves: what it cannot do at a moment, its calls
// tell.
#include <algorithm>

#include "server/api/handlers.h"
#include "server/auth/access_table.h"
#include "server/rpc/public_error.h"

namespace jobd::server::handlers {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// The empty name is the server as a whole.
bool IsService(const std::string& name) {
  const std::string prefix = "/" + name + "/";
  return name.empty() ||
         std::ranges::any_of(MethodRules(), [&](const MethodRule& rule) { return rule.method.starts_with(prefix); });
}

// Says it once. The service does not change while it runs; at its end, the call ends.
class HealthSource final : public SourceOf<HealthCheckResponse> {
 public:
  explicit HealthSource(HealthCheckResponse::ServingStatus status) : status_(status) {}

 private:
  Next Make(HealthCheckResponse& out, base::Status& /*end*/) override {
    if (said_) return Next::kWait;
    said_ = true;
    out.set_status(status_);
    return Next::kSendAndArm;
  }
  void Arm(std::function<void()> /*wake*/) override {}

  const HealthCheckResponse::ServingStatus status_;
  bool said_ = false;
};

}  // namespace

void Check(const Api& /*api*/, CallContext& /*call*/, const HealthCheckRequest& in, HealthCheckResponse& out, Reply reply) {
  if (!IsService(in.service())) return reply.Fail(base::Error(base::Code::kNotFound, std::string(kUnknownService)));
  out.set_status(HealthCheckResponse::SERVING);
  reply.Succeed();
}

Source<HealthCheckResponse> Watch(const Api& /*api*/, CallContext& /*call*/, const HealthCheckRequest& in) {
  const auto status = IsService(in.service()) ? HealthCheckResponse::SERVING : HealthCheckResponse::SERVICE_UNKNOWN;
  return std::unique_ptr<SourceOf<HealthCheckResponse>>(std::make_unique<HealthSource>(status));
}

}  // namespace jobd::server::handlers
