// AdminService.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/auth/tls_material.h"
#include "server/ops/reloader.h"
#include "server/rpc/task_pool.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

static_assert(static_cast<int>(worker::ServiceState::kRunning) == jobd::v1::SERVICE_STATE_RUNNING);
static_assert(static_cast<int>(worker::ServiceState::kStopped) == jobd::v1::SERVICE_STATE_STOPPED);

jobd::v1::ServiceState State(worker::ServiceState state) { return static_cast<jobd::v1::ServiceState>(state); }

const char* OriginName(config::Origin origin) {
  switch (origin) {
    case config::Origin::kDefault: return "default";
    case config::Origin::kFile: return "file";
    case config::Origin::kEnvironment: return "environment";
    case config::Origin::kFlag: return "flag";
  }
  return "";
}

void FillStatus(const Api& api, v1::GetStatusResponse& out) {
  const worker::WorkerStatus status = api.worker.GetStatus();
  out.set_state(State(status.state));
  out.set_state_by(status.state_by);
  if (status.state_since != 0) SetTime(status.state_since, out.mutable_state_since());
  out.set_version(JOBD_VERSION);
  SetTime(api.about.started_at, out.mutable_started_at());
  SetDuration(api.clock.Monotonic() - api.started, out.mutable_uptime());
  out.set_slots(status.slots);
  out.set_running(status.running);
  out.set_queued(status.queued);
  for (const auto& [state, count] : status.finished) {
    auto* entry = out.add_finished();
    entry->set_state(static_cast<jobd::v1::JobState>(state));
    entry->set_count(static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX)));
  }
  for (const worker::DiskStatus& disk : status.disks) {
    auto* entry = out.add_disks();
    entry->set_name(disk.name);
    entry->set_free_bytes(disk.free_bytes);
    entry->set_total_bytes(disk.total_bytes);
    entry->set_accepting(disk.accepting);
    entry->set_problem(disk.problem);
  }
  auto* kept = out.mutable_kept();
  kept->set_batches(status.kept.batches);
  kept->set_bytes(status.kept.bytes);
  kept->set_own_rules(static_cast<uint32_t>(status.kept.own_rules));
  kept->set_undeletable(status.kept.undeletable);
  const worker::RetentionRule& rule = status.kept.rule;
  if (rule.max_age != 0) SetDuration(rule.max_age, kept->mutable_rule()->mutable_max_age());
  kept->mutable_rule()->set_max_bytes(rule.max_bytes);
  kept->mutable_rule()->set_max_batches(rule.max_batches);
  out.mutable_certificate_expires_at()->set_seconds(api.tls.Current()->not_after);
  for (const launch::HelloAck::Capability& capability : api.about.capabilities) {
    auto* entry = out.add_isolation();
    entry->set_name(capability.name);
    entry->set_available(capability.available);
    entry->set_detail(capability.detail);
  }
  out.set_server_restarts(api.about.server_restarts);
  out.set_config_revision(api.reloader.config()->revision);
  for (std::string& warning : api.reloader.Warnings()) out.add_warnings(std::move(warning));
}

}  // namespace

void Start(const Api& api, CallContext& call, const v1::StartRequest& /*in*/, v1::StartResponse& out, Reply reply) {
  api.log.info("start by={}", call.caller().name());
  api.worker.Start([reply, &out](base::Result<worker::ServiceState> state) {
    if (!state.ok()) return reply.Fail(state.error());
    out.set_state(State(*state));
    reply.Succeed();
  });
}

void Stop(const Api& api, CallContext& call, const v1::StopRequest& in, v1::StopResponse& out, Reply reply) {
  api.log.info("stop{} by={}", in.now() ? " now" : "", call.caller().name());
  api.worker.Stop(in.now(), call.caller().name(), [reply, &out](base::Result<uint32_t> cancelled) {
    if (!cancelled.ok()) return reply.Fail(cancelled.error());
    out.set_state(jobd::v1::SERVICE_STATE_STOPPED);
    out.set_cancelled(*cancelled);
    reply.Succeed();
  });
}

void Drain(const Api& api, CallContext& call, const v1::DrainRequest& /*in*/, v1::DrainResponse& out, Reply reply) {
  api.log.info("drain by={}", call.caller().name());
  api.worker.Drain(call.caller().name(), [reply, &out](base::Result<worker::ServiceState> state) {
    if (!state.ok()) return reply.Fail(state.error());
    out.set_state(State(*state));
    reply.Succeed();
  });
}

void GetStatus(const Api& api, CallContext& /*call*/, const v1::GetStatusRequest& /*in*/, v1::GetStatusResponse& out, Reply reply) {
  // A log disk that has begun to hang is told of by the first who asks.
  api.worker.AskLogDisk([&api, reply, &out] {
    FillStatus(api, out);
    reply.Succeed();
  });
}

void Reload(const Api& api, CallContext& call, const v1::ReloadRequest& in, v1::ReloadResponse& out, Reply reply) {
  api.log.info("reload{} by={}", in.force() ? " by force" : "", call.caller().name());
  // It asks the launcher and shakes hands with us, which gRPC's threads must be free to answer.
  api.tasks.Post([&api, force = in.force(), reply, &out] {
    const auto report = api.reloader.Reload(force);
    if (!report.ok()) {
      api.log.warn("reload: {}", report.error().message());
      return reply.Fail(report.error());
    }
    for (const std::string& key : report->changed) out.add_changed(key);
    for (const std::string& key : report->needs_restart) out.add_needs_restart(key);
    for (const std::string& warning : report->warnings) {
      api.log.warn("reload: {}", base::EscapeForTerminal(warning));
      out.add_warnings(warning);
    }
    out.set_config_revision(report->revision);
    reply.Succeed();
  });
}

void GetConfig(const Api& api, CallContext& /*call*/, const v1::GetConfigRequest& /*in*/, v1::GetConfigResponse& out, Reply reply) {
  const auto config = api.reloader.config();
  for (const config::SettingValue& setting : config->settings) {
    auto* entry = out.add_settings();
    entry->set_key(setting.key);
    entry->set_value(setting.value);
    entry->set_origin(OriginName(setting.origin));
  }
  out.set_config_revision(config->revision);
  reply.Succeed();
}

}  // namespace jobd::server::handlers
