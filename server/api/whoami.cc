// AuthService.WhoAmI: all that the service knows of its caller, and what they may ask for.
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/thumbprint.h"
#include "server/ops/reloader.h"
#include "server/rpc/task_pool.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

void FillGrants(const config::User& user, v1::Grants& grants) {
  for (const std::string& profile : user.profiles) grants.add_profiles(profile);
  for (const std::string& account : user.run_as) grants.add_run_as(account);
  for (const std::string& folder : user.workdirs) grants.add_workdirs(folder);
}

void FillLimits(const config::UserMaxima& most, v1::JobMaxima& limits) {
  limits.set_memory(most.memory);
  limits.set_cpu_millis(most.cpu_millis);
  limits.set_pids(most.pids);
  limits.set_output(most.output);
  limits.set_file_size(most.file_size);
  limits.set_open_files(most.open_files);
  limits.set_tmp_size(most.tmp_size);
  limits.set_io_read(most.io_read);
  limits.set_io_write(most.io_write);
  limits.set_core(most.core);
  if (most.timeout != 0) SetDuration(most.timeout, limits.mutable_timeout());
}

void FillQuota(const config::User& user, const config::Config& config, v1::UserQuota& quota) {
  quota.set_max_queued(user.max_queued.value_or(config.max_queued_per_user));
  quota.set_max_running(user.max_running.value_or(0));
  const config::UserRetention own = user.retention.value_or(config::UserRetention());
  if (const base::Nanos age = own.max_age.value_or(config.retention_max_age); age != 0) {
    SetDuration(age, quota.mutable_kept_max_age());
  }
  quota.set_kept_max_bytes(own.max_bytes.value_or(0));
  quota.set_kept_max_batches(own.max_batches.value_or(0));
}

}  // namespace

void WhoAmI(const Api& api, CallContext& call, const v1::WhoAmIRequest& /*in*/, v1::WhoAmIResponse& out, Reply reply) {
  const Caller& caller = call.caller();
  out.set_name(caller.name());
  out.set_role(std::string(config::RoleName(caller.role())));
  out.set_max_role(std::string(config::RoleName(caller.session ? caller.max_role : caller.user.role)));
  out.set_caller(caller.kind == CallerKind::kHost ? "host" : "user");
  out.set_host(caller.host);
  if (caller.session) {
    // As it is by now: the token may have been renewed since the call was made.
    const auto now = api.sessions.Find(caller.session->handle);
    const Session& session = now ? *now : *caller.session;
    out.set_session(session.handle);
    SetTime(session.created_at, out.mutable_auth_time());
    SetTime(session.token_ends, out.mutable_expires_at());
    SetTime(session.ends, out.mutable_session_expires_at());
  }
  out.mutable_certificate_expires_at()->set_seconds(caller.certificate->not_after);
  out.set_x5t_s256(ThumbprintOf(caller.certificate->fingerprint));
  FillGrants(caller.user, *out.mutable_grants());
  FillLimits(caller.user.most, *out.mutable_limits());
  FillQuota(caller.user, api.reloader.config()->config, *out.mutable_quota());
  // It reads the database.
  api.tasks.Post([&api, &call, &out, reply] {
    const auto use = api.worker.UseOf(call.caller().name());
    if (!use.ok()) return reply.Fail(use.error());
    out.mutable_use()->set_queued(use->queued);
    out.mutable_use()->set_running(use->running);
    out.mutable_use()->set_batches(use->batches);
    out.mutable_use()->set_kept_batches(use->kept_batches);
    out.mutable_use()->set_kept_bytes(use->kept_bytes);
    reply.Succeed();
  });
}

}  // namespace jobd::server::handlers
