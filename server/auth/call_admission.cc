#include "server/auth/call_admission.h"

#include <string>

namespace jobd::server {
namespace {

// Which role would do, and which one the caller has: an administrator is asked for the right thing then.
base::Error NeedsRole(const MethodRule& rule, config::Role has) {
  using enum config::Role;
  const config::Role needed = rule.For(kOperator) != Scope::kNone ? kOperator : kAdmin;
  const std::string name(config::RoleName(needed));
  return {base::Code::kPermissionDenied, "this needs the role " + name + (needed == kOperator ? " or admin" : "") +
                                             ", and yours is " + std::string(config::RoleName(has))};
}

}  // namespace

base::Result<Admitted> CallAdmission::Admit(std::string_view certificate, const MethodRule& rule, std::string_view peer) {
  const auto refuse = [&](std::string_view caller, base::Error error) {
    if (on_refused_) on_refused_({.method = rule.method, .caller = caller, .peer = peer, .pem = certificate, .error = error});
    return error;
  };
  auto caller = access_.Authenticate(certificate);
  if (!caller.ok()) return refuse("", std::move(caller).error());
  const Scope scope = rule.For(caller->role());
  if (scope == Scope::kNone) {
    return refuse(caller->name(), NeedsRole(rule, caller->role()));
  }
  auto quota = limits_.Acquire(caller->name());
  if (!quota.ok()) return refuse(caller->name(), std::move(quota).error());
  return Admitted{.caller = *std::move(caller), .scope = scope, .quota = *std::move(quota)};
}

base::Status CallAdmission::AdmitAgain(Admitted& admitted, const MethodRule& rule, std::string_view peer) const {
  const Caller& before = admitted.caller;
  const auto refuse = [&](base::Error error) {
    if (on_refused_) {
      on_refused_({.method = rule.method,
                   .caller = before.name(),
                   .peer = peer,
                   .pem = {},
                   .certificate = before.certificate.get(),
                   .error = error});
    }
    return error;
  };
  auto caller = access_.Authenticate(before.certificate);
  if (!caller.ok()) return refuse(std::move(caller).error());
  const Scope scope = rule.For(caller->role());
  if (scope == Scope::kNone) return refuse(NeedsRole(rule, caller->role()));
  admitted.caller = *std::move(caller);
  admitted.scope = scope;
  return base::Ok();
}

base::Status CallAdmission::StillAdmitted(const std::shared_ptr<const Certificate>& certificate, const MethodRule& rule,
                                          Scope scope) const {
  JOBD_ASSIGN_OR_RETURN(const Caller now, access_.Authenticate(certificate));
  const Scope now_scope = rule.For(now.role());
  if (now_scope == Scope::kNone) return NeedsRole(rule, now.role());
  if (now_scope < scope) return base::Error(base::Code::kPermissionDenied, "your role does not allow this any more");
  return base::Ok();
}

}  // namespace jobd::server
