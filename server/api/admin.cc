#include "server/api/admin_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/api/convert_reply.h"
#include "server/grpc/credentials.h"
#include "server/ops/reloader.h"
#include "server/rpc/task_pool.h"
#include "server/grpc/grpc_call.h"
#include "worker/worker.h"

namespace jobd::server {
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

}  // namespace

AdminService::AdminService(const Backend& backend, Reloader& reloader, const TlsState& tls, const base::Clock& clock, About about)
    : backend_(backend), reloader_(reloader), tls_(tls), clock_(clock), started_(clock.Monotonic()), about_(std::move(about)) {}

grpc::ServerUnaryReactor* AdminService::Start(Context* context, const jobd::v1::StartRequest* /*request*/,
                                              jobd::v1::StartResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/Start", [&](UnaryCall& call) {
    backend_.log.info("start by={}", call.caller().name());
    backend_.worker.Start([&call, response](base::Result<worker::ServiceState> state) {
      if (!state.ok()) return call.Fail(state.error());
      response->set_state(State(*state));
      call.Succeed();
    });
  });
}

grpc::ServerUnaryReactor* AdminService::Stop(Context* context, const jobd::v1::StopRequest* request,
                                             jobd::v1::StopResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/Stop", [&](UnaryCall& call) {
    backend_.log.info("stop{} by={}", request->now() ? " now" : "", call.caller().name());
    backend_.worker.Stop(request->now(), call.caller().name(), [&call, response](base::Result<uint32_t> cancelled) {
      if (!cancelled.ok()) return call.Fail(cancelled.error());
      response->set_state(jobd::v1::SERVICE_STATE_STOPPED);
      response->set_cancelled(*cancelled);
      call.Succeed();
    });
  });
}

grpc::ServerUnaryReactor* AdminService::Drain(Context* context, const jobd::v1::DrainRequest* /*request*/,
                                              jobd::v1::DrainResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/Drain", [&](UnaryCall& call) {
    backend_.log.info("drain by={}", call.caller().name());
    backend_.worker.Drain([&call, response](base::Result<worker::ServiceState> state) {
      if (!state.ok()) return call.Fail(state.error());
      response->set_state(State(*state));
      call.Succeed();
    });
  });
}

grpc::ServerUnaryReactor* AdminService::GetStatus(Context* context, const jobd::v1::GetStatusRequest* /*request*/,
                                                  jobd::v1::GetStatusResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/GetStatus", [&](UnaryCall& call) {
    const worker::WorkerStatus status = backend_.worker.GetStatus();
    response->set_state(State(status.state));
    response->set_version(JOBD_VERSION);
    SetTime(about_.started_at, response->mutable_started_at());
    SetDuration(clock_.Monotonic() - started_, response->mutable_uptime());
    response->set_slots(status.slots);
    response->set_running(status.running);
    response->set_queued(status.queued);
    for (const auto& [state, count] : status.finished) {
      auto* entry = response->add_finished();
      entry->set_state(static_cast<jobd::v1::JobState>(state));
      entry->set_count(static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX)));
    }
    for (const worker::DiskStatus& disk : status.disks) {
      auto* entry = response->add_disks();
      entry->set_name(disk.name);
      entry->set_free_bytes(disk.free_bytes);
      entry->set_total_bytes(disk.total_bytes);
      entry->set_accepting(disk.accepting);
      entry->set_problem(disk.problem);
    }
    auto* kept = response->mutable_kept();
    kept->set_batches(status.kept.batches);
    kept->set_bytes(status.kept.bytes);
    kept->set_own_rules(static_cast<uint32_t>(status.kept.own_rules));
    kept->set_undeletable(status.kept.undeletable);
    const worker::RetentionRule& rule = status.kept.rule;
    if (rule.max_age != 0) SetDuration(rule.max_age, kept->mutable_rule()->mutable_max_age());
    kept->mutable_rule()->set_max_bytes(rule.max_bytes);
    kept->mutable_rule()->set_max_batches(rule.max_batches);
    response->mutable_certificate_expires_at()->set_seconds(tls_.Current()->not_after);
    for (const launch::HelloAck::Capability& capability : about_.capabilities) {
      auto* entry = response->add_isolation();
      entry->set_name(capability.name);
      entry->set_available(capability.available);
      entry->set_detail(capability.detail);
    }
    response->set_server_restarts(about_.server_restarts);
    response->set_config_revision(reloader_.config()->revision);
    call.Succeed();
  });
}

grpc::ServerUnaryReactor* AdminService::Reload(Context* context, const jobd::v1::ReloadRequest* /*request*/,
                                               jobd::v1::ReloadResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/Reload", [&](UnaryCall& call) {
    backend_.log.info("reload by={}", call.caller().name());
    // It asks the launcher and shakes hands with us, which gRPC's threads must be free to answer.
    backend_.tasks.Post([this, &call, response] {
      const auto report = reloader_.Reload();
      if (!report.ok()) {
        backend_.log.warn("reload: {}", report.error().message());
        return call.Fail(report.error());
      }
      for (const std::string& key : report->changed) response->add_changed(key);
      for (const std::string& key : report->needs_restart) response->add_needs_restart(key);
      response->set_config_revision(report->revision);
      call.Succeed();
    });
  });
}

grpc::ServerUnaryReactor* AdminService::GetConfig(Context* context, const jobd::v1::GetConfigRequest* /*request*/,
                                                  jobd::v1::GetConfigResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.AdminService/GetConfig", [&](UnaryCall& call) {
    const auto config = reloader_.config();
    for (const config::SettingValue& setting : config->settings) {
      auto* entry = response->add_settings();
      entry->set_key(setting.key);
      entry->set_value(setting.value);
      entry->set_origin(OriginName(setting.origin));
    }
    response->set_config_revision(config->revision);
    call.Succeed();
  });
}

}  // namespace jobd::server
