#include "server/rpc/call_context.h"

#include <spdlog/spdlog.h>

#include "base/text.h"
#include "logging/fields.h"
#include "server/rpc/method.h"

namespace jobd::server {

CallContext::CallContext(const Method& method, Admitted admitted, RequestFacts facts)
    : method_(method),
      standing_(admitted.caller.standing()),
      scope_(admitted.scope),
      admitted_(std::move(admitted)),
      facts_(std::move(facts)) {}

std::string_view CallContext::path() const { return method_.path; }

base::Result<std::string> CallContext::OwnerOf(const std::string& requested) const {
  return ResolveOwner(caller().name(), admitted_.scope, requested);
}

base::Status CallContext::AdmitAgain(const CallSupport& support) {
  JOBD_RETURN_IF_ERROR(support.admission.AdmitAgain(admitted_, *method_.rule, facts_.peer));
  scope_ = admitted_.scope;
  return base::Ok();
}

base::Status CallContext::StillAdmitted(const CallSupport& support) const {
  return support.admission.StillAdmitted(standing_, *method_.rule, scope_);
}

void LogEnd(spdlog::logger& log, const CallContext& call, std::string_view how) {
  if (!log.should_log(spdlog::level::debug)) return;
  const std::string what = std::string(call.path()) + ": " + std::string(how);
  const worker::BatchName& about = call.about();
  if (about.correlation_id.empty()) {
    log.debug("{}", logging::Line(what, {{"by", call.caller().name()}}));
  } else {
    const std::string id = base::EscapeForTerminal(about.correlation_id);
    log.debug("{}", logging::Line(what, {{"correlation_id", id}, {"owner", about.owner}, {"by", call.caller().name()}}));
  }
}

}  // namespace jobd::server
