#include "server/auth/call_admission.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>
#include <spdlog/spdlog.h>

#include "base/text.h"
#include "logging/fields.h"

namespace jobd::server {
namespace {

base::Result<Reach> ReachOf(const Caller& caller, std::string_view method) {
  const Rule* rule = FindRule(method);
  const Reach reach = rule == nullptr ? Reach::kNone : rule->For(caller.role());
  if (reach == Reach::kNone) return base::Error(base::Code::kPermissionDenied, "your role does not allow this");
  return reach;
}

}  // namespace

void LogEnd(spdlog::logger& log, const Call& call, std::string_view how) {
  if (!log.should_log(spdlog::level::debug)) return;
  const std::string what = std::string(call.method) + ": " + std::string(how);
  if (call.about.correlation_id.empty()) {
    log.debug("{}", logging::Line(what, {{"by", call.caller.name()}}));
  } else {
    const std::string id = base::EscapeForTerminal(call.about.correlation_id);
    log.debug("{}", logging::Line(what, {{"correlation_id", id}, {"owner", call.about.owner}, {"by", call.caller.name()}}));
  }
}

base::Result<Call> Admission::Admit(const grpc::CallbackServerContext& context, std::string_view method) {
  const auto pem = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.size() != 1) return base::Error(base::Code::kUnauthenticated, "a client certificate is needed");
  Call call{.method = method};
  JOBD_ASSIGN_OR_RETURN(call.caller, access_.Authenticate({pem.front().data(), pem.front().size()}));
  JOBD_ASSIGN_OR_RETURN(call.reach, ReachOf(call.caller, method));
  JOBD_ASSIGN_OR_RETURN(call.token, limits_.Acquire(call.caller.name()));
  return call;
}

base::Status Admission::StillAdmitted(const Call& call) const {
  JOBD_ASSIGN_OR_RETURN(const Caller now, access_.Authenticate(call.caller.certificate));
  JOBD_ASSIGN_OR_RETURN(const Reach reach, ReachOf(now, call.method));
  if (reach < call.reach) return base::Error(base::Code::kPermissionDenied, "your role does not allow this any more");
  return base::Ok();
}

}  // namespace jobd::server
