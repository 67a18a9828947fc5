#include "server/auth/access_table.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace jobd::server {
namespace {

using enum Scope;

// A viewer sees everything and changes nothing, an operator has their own batches, an admin has all; a host logs people in. The
// table is also docs/rights.md, which a test holds to it. The server does not start
// when a method of the API has no line here, or a line has no method (MethodTable::Build).
constexpr auto kRules = std::to_array<MethodRule>({
    //                                                   viewer operator admin host
    {"/jobd.v1.AuthService/Login", kAll, kAll, kAll, kAll, Carries::kCertificate},
    {"/jobd.v1.AuthService/Renew", kAll, kAll, kAll, kNone, Carries::kToken},
    {"/jobd.v1.AuthService/Logout", kAll, kAll, kAll, kNone, Carries::kToken},
    {"/jobd.v1.AuthService/WhoAmI", kAll, kAll, kAll},

    {"/jobd.v1.JobScheduleService/ExecuteJob", kNone, kOwn, kOwn},
    {"/jobd.v1.JobScheduleService/SubmitBatch", kNone, kOwn, kOwn},
    {"/jobd.v1.JobScheduleService/Cancel", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/Signal", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/Retry", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/Hold", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/Release", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/RemoveBatch", kNone, kOwn, kAll},
    {"/jobd.v1.JobScheduleService/PruneBatches", kNone, kOwn, kOwn},

    {"/jobd.v1.JobQueryService/GetBatch", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/Resolve", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/Explain", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/ListBatches", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/SearchJob", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/StreamLogs", kAll, kOwn, kAll},
    {"/jobd.v1.JobQueryService/WatchBatch", kAll, kOwn, kAll},

    {"/jobd.v1.AdminService/Start", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/Stop", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/Drain", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/GetStatus", kAll, kAll, kAll},
    {"/jobd.v1.AdminService/Reload", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/GetConfig", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/ListSessions", kNone, kNone, kAll},
    {"/jobd.v1.AdminService/EndSessions", kNone, kNone, kAll},

    {"/grpc.health.v1.Health/Check", kAll, kAll, kAll, kAll},
    {"/grpc.health.v1.Health/Watch", kAll, kAll, kAll, kAll},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kAll, kAll, kAll},
});

}  // namespace

Scope MethodRule::For(config::Role role) const {
  switch (role) {
    case config::Role::kViewer: return viewer;
    case config::Role::kOperator: return operator_;
    case config::Role::kAdmin: return admin;
  }
  return Scope::kNone;
}

std::span<const MethodRule> MethodRules() { return kRules; }

const MethodRule* FindMethodRule(std::string_view method) {
  const auto found = std::ranges::find(kRules, method, &MethodRule::method);
  return found == kRules.end() ? nullptr : &*found;
}

base::Result<std::string> ResolveOwner(std::string_view caller, Scope scope, const std::string& requested) {
  if (requested.empty() || requested == caller) return std::string(caller);
  if (!base::IsSafeName(requested)) {
    return base::Error(base::Code::kInvalidArgument, "the request is not acceptable")
        .WithViolations({{"owner", "must be the name of a user"}});
  }
  if (scope != Scope::kAll) return base::Error(base::Code::kNotFound, "no such batch");
  return requested;
}

}  // namespace jobd::server
