#include "server/auth/call_admission.h"

#include <string>

namespace jobd::server {

namespace {

// Says what one is, and what it takes.
base::Error NotForRole(const Caller& caller, const MethodRule& rule) {
  std::string takes;
  for (const config::Role role : {config::Role::kViewer, config::Role::kOperator, config::Role::kAdmin}) {
    if (rule.For(role) != Scope::kNone) takes += (takes.empty() ? "" : " or ") + std::string(config::RoleName(role));
  }
  return {base::Code::kPermissionDenied,
          "your role does not allow this: you are " + std::string(config::RoleName(caller.role())) + ", and it takes " + takes};
}

}  // namespace

base::Result<Admitted> CallAdmission::Admit(std::string_view certificate, const MethodRule& rule) {
  const auto refuse = [&](std::string_view caller, base::Error error) {
    if (on_refused_) on_refused_(rule.method, caller, error);
    return error;
  };
  auto caller = access_.Authenticate(certificate);
  if (!caller.ok()) return refuse("", std::move(caller).error());
  const Scope scope = rule.For(caller->role());
  if (scope == Scope::kNone) {
    return refuse(caller->name(), NotForRole(*caller, rule));
  }
  auto quota = limits_.Acquire(caller->name());
  if (!quota.ok()) return refuse(caller->name(), std::move(quota).error());
  return Admitted{.caller = *std::move(caller), .scope = scope, .quota = *std::move(quota)};
}

base::Status CallAdmission::AdmitAgain(Admitted& admitted, const MethodRule& rule) const {
  const auto refuse = [&](std::string_view caller, base::Error error) {
    if (on_refused_) on_refused_(rule.method, caller, error);
    return error;
  };
  auto caller = access_.Authenticate(admitted.caller.certificate);
  if (!caller.ok()) return refuse("", std::move(caller).error());
  const Scope scope = rule.For(caller->role());
  if (scope == Scope::kNone) {
    return refuse(caller->name(), NotForRole(*caller, rule));
  }
  admitted.caller = *std::move(caller);
  admitted.scope = scope;
  return base::Ok();
}

base::Status CallAdmission::StillAdmitted(const std::shared_ptr<const Certificate>& certificate, const MethodRule& rule,
                                          Scope scope) const {
  JOBD_ASSIGN_OR_RETURN(const Caller now, access_.Authenticate(certificate));
  const Scope now_scope = rule.For(now.role());
  if (now_scope == Scope::kNone) return NotForRole(now, rule);
  if (now_scope < scope) return base::Error(base::Code::kPermissionDenied, "your role does not allow this any more");
  return base::Ok();
}

}  // namespace jobd::server
