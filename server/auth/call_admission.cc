#include "server/auth/call_admission.h"

#include <string>

namespace jobd::server {
namespace {

// Which role would do, and which one the caller has: an administrator is asked for the right thing then.
base::Error NeedsRole(const MethodRule& rule, const Caller& caller) {
  using enum config::Role;
  const config::Role needed = rule.For(kOperator) != Scope::kNone ? kOperator : kAdmin;
  const std::string name(config::RoleName(needed));
  const bool bounded = caller.role() != caller.user.role;
  return {base::Code::kPermissionDenied, "this needs the role " + name + (needed == kOperator ? " or admin" : "") +
                                             ", and yours is " + std::string(config::RoleName(caller.role())) +
                                             (bounded ? " through this host" : "")};
}

// What the caller may do with the method, and not kNone.
base::Result<Scope> ScopeOf(const MethodRule& rule, const Caller& caller) {
  if (caller.is_bare_host()) {
    if (rule.host != Scope::kNone) return rule.host;
    return base::Error(base::Code::kUnauthenticated,
                       "a host's certificate only logs people in: this needs an access token (jobctl login USER)");
  }
  if (rule.carries == Carries::kToken && !caller.session) {
    return base::Error(base::Code::kUnauthenticated, "this is about a session: it needs that session's access token");
  }
  const Scope scope = rule.For(caller.role());
  if (scope == Scope::kNone) return NeedsRole(rule, caller);
  return scope;
}

}  // namespace

base::Result<Admitted> CallAdmission::Admit(const Presented& presented, const MethodRule& rule) {
  const auto refuse = [&](std::string_view caller, base::Error error) {
    if (on_refused_) {
      on_refused_({.method = rule.method, .caller = caller, .peer = presented.peer, .pem = presented.certificate, .error = error});
    }
    return error;
  };
  auto caller = rule.carries == Carries::kCertificate ? access_.Authenticate(presented.certificate)
                                                      : access_.Authenticate(presented.certificate, presented.authorization);
  if (!caller.ok()) return refuse("", std::move(caller).error());
  const auto scope = ScopeOf(rule, *caller);
  if (!scope.ok()) return refuse(caller->name(), scope.error());
  auto quota = limits_.Acquire(caller->name());
  if (!quota.ok()) return refuse(caller->name(), std::move(quota).error());
  return Admitted{.caller = *std::move(caller), .scope = *scope, .quota = *std::move(quota)};
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
  auto caller = access_.Authenticate(before.standing());
  if (!caller.ok()) return refuse(std::move(caller).error());
  const auto scope = ScopeOf(rule, *caller);
  if (!scope.ok()) return refuse(scope.error());
  admitted.caller = *std::move(caller);
  admitted.scope = *scope;
  return base::Ok();
}

base::Status CallAdmission::StillAdmitted(const Standing& standing, const MethodRule& rule, Scope scope) const {
  JOBD_ASSIGN_OR_RETURN(const Caller now, access_.Authenticate(standing));
  JOBD_ASSIGN_OR_RETURN(const Scope now_scope, ScopeOf(rule, now));
  if (now_scope < scope) return base::Error(base::Code::kPermissionDenied, "your role does not allow this any more");
  return base::Ok();
}

}  // namespace jobd::server
