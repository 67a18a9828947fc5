#include "server/api/handlers.h"

namespace jobd::server::handlers {

void WhoAmI(const Api& /*api*/, CallContext& call, const v1::WhoAmIRequest& /*in*/, v1::WhoAmIResponse& out, Reply reply) {
  out.set_name(call.caller().name());
  out.set_role(std::string(config::RoleName(call.caller().role())));
  reply.Succeed();
}

}  // namespace jobd::server::handlers
