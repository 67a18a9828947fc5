#include "server/service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <thread>

#include "base/text.h"
#include "launch/contract/exit_file.h"
#include "logging/logging.h"
#include "server/api/handlers.h"
#include "server/auth/access.h"
#include "server/auth/call_admission.h"
#include "server/auth/call_limits.h"
#include "server/auth/identity.h"
#include "server/auth/logins.h"
#include "server/auth/password_queue.h"
#include "server/auth/session/login_throttle.h"
#include "server/auth/session/session_table.h"
#include "server/auth/tls_change.h"
#include "server/grpc/connections/connection_guard.h"
#include "server/grpc/connections/connection_table.h"
#include "server/grpc/connections/handshake_watch.h"
#include "server/grpc/credentials.h"
#include "server/grpc/rpc_server.h"
#include "server/grpc/self_check.h"
#include "server/grpc/table_service.h"
#include "server/grpc/unknown_methods.h"
#include "server/ops/heap_trimmer.h"
#include "server/ops/metrics_endpoint.h"
#include "server/rpc/method.h"
#include "server/rpc/public_error.h"
#include "server/rpc/rate_limit.h"
#include "server/rpc/stream_registry.h"
#include "server/rpc/task_pool.h"

namespace jobd::server {
namespace {

constexpr uint32_t kRefusalLinesPerSecond = 10;
constexpr uint32_t kRefusalLinesOfOneAddress = 2;  // a second

// "127.0.0.1:4711" of gRPC's "ipv4:127.0.0.1:4711", "[::1]:4711" of "ipv6:%5B::1%5D:4711".
std::string PeerText(std::string_view peer) {
  std::string text(peer);
  for (const char* family : {"ipv4:", "ipv6:"}) {
    if (text.starts_with(family)) text.erase(0, 5);
  }
  for (const auto& [escaped, plain] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const size_t at = text.find(escaped); at != std::string::npos) text.replace(at, 3, plain);
  }
  return base::EscapeForTerminal(text);
}

unsigned TaskThreads() { return std::clamp(std::thread::hardware_concurrency(), 2u, 16u); }

class ServiceImpl final : public Service {
 public:
  ServiceImpl(worker::Worker& worker, const base::Clock& clock, ServiceOptions options)
      : options_(std::move(options)),
        worker_(worker),
        clock_(clock),
        refusals_(kRefusalLinesOfOneAddress, kRefusalLinesPerSecond, clock),
        sessions_(worker.sessions(), clock, launch::BootTag()),
        access_(options_.initial.rules, clock, &sessions_),
        throttle_(clock),
        passwords_(worker.sessions(), {}),
        logins_(access_, sessions_, throttle_, passwords_),
        tls_(options_.initial.tls),
        call_limits_(Config().max_streams_per_user),
        max_batch_jobs_(Config().max_batch_jobs),
        admission_(access_, call_limits_, [this](const CallAdmission::Refused& refused) { OnCallRefused(refused); }),
        uploads_(kMaxUploadBytes, "submissions are being received"),
        decoding_(kDecodingBytes, "requests are being read"),
        connections_(clock),
        guard_(access_, connections_, heap_, clock,
               [this](auto peer, auto who, auto why) {
                 options_.metrics->OnConnectionEnded();
                 const std::string from = PeerText(peer);
                 LogLine(from,
                         [&] { return "ended the connection of " + std::string(who) + " from " + from + ": " + std::string(why); });
               }),
        errors_(options_.log, [this](std::string_view code) { options_.metrics->OnRefused(code); }),
        tasks_("task", TaskThreads()),
        reloader_(
            options_.files, options_.config_name, options_.overrides, options_.initial, clock,
            {access_, tls_, [this](const TlsMaterial& tls) { return TryHandshake(tls); },
             [this](const auto& config, const auto& users, const auto& capabilities) { Apply(config, users, capabilities); }}),
        api_{worker, streams_, tasks_,    uploads_, *options_.metrics, *options_.log, max_batch_jobs_, reloader_,
             tls_,   logins_,  sessions_, clock,    clock.Monotonic(), options_.about},
        support_{admission_, streams_, tasks_, errors_, *options_.log, clock, decoding_} {}

  ~ServiceImpl() override { Shutdown(0); }

  base::Status Serve(base::Listener listener) {
    RpcServerOptions options{.listener = std::move(listener),
                             .connections = connections_,
                             .guard = guard_,
                             .max_connections_per_address = Config().max_connections_per_address,
                             .on_refused = [this](std::string_view peer, const char* why) {
                               options_.metrics->OnConnectionRefused();
                               const std::string from = PeerText(peer);
                               LogLine(from, [&] { return "connection refused from " + from + ": " + why; });
                             }};
    guard_.SetMaxInProgress(Config().max_streams_per_user);
    throttle_.SetRate(Config().login_rate);
    // What has changed while nobody served.
    JOBD_RETURN_IF_ERROR(sessions_.Load());
    access_.EndSessionsWithoutGrounds();
    JOBD_ASSIGN_OR_RETURN(methods_, MethodTable::Build(MethodRules(), Handlers(api_)));
    auto unknown = MakeUnknownMethods(access_, guard_, [this](const UnknownMethod& refused) {
      OnRefused(
          refused.path, refused.caller, refused.peer, [&] { return CertificateNameForLog(refused.certificate); }, refused.code,
          refused.text);
    });
    JOBD_ASSIGN_OR_RETURN(rpc_, RpcServer::Start(std::move(options), MakeServerCredentials(tls_, guard_),
                                                 MakeServices(support_, methods_, guard_), std::move(unknown)));
    JOBD_RETURN_IF_ERROR(CheckHandshake(rpc_->address(), *options_.initial.tls));
    JOBD_RETURN_IF_ERROR(CheckRefusals(rpc_->address(), *options_.initial.tls));
    // Behind those of our own.
    handshakes_.emplace([this](const HandshakeWatch::Failure& failure) { OnHandshakeFailed(failure); });
    return base::Ok();
  }

  base::Status ServeMetrics(base::Fd socket) {
    JOBD_ASSIGN_OR_RETURN(metrics_endpoint_, MetricsEndpoint::Start(std::move(socket), [this] {
                            return options_.metrics->Text({.worker = worker_.GetStatus(),
                                                           .started_at = options_.about.started_at,
                                                           .server_restarts = options_.about.server_restarts,
                                                           .certificate_expiry = tls_.Current()->not_after,
                                                           .calls = streams_.size()});
                          }));
    return base::Ok();
  }

  const std::string& address() const override { return rpc_->address(); }
  base::Result<ReloadReport> Reload(bool force) override { return reloader_.Reload(force); }
  std::vector<std::string> Warnings() const override { return TlsWarnings(*tls_.Current(), clock_.Realtime()); }

  void Shutdown(int grace_ms) override {
    metrics_endpoint_.reset();
    if (!rpc_) return;
    rpc_->StopAccepting();
    streams_.EndAll(base::Error(base::Code::kUnavailable, "the service is stopping; go on at your cursor when it is back"));
    passwords_.Stop();
    rpc_->Shutdown(grace_ms);
    rpc_.reset();
    handshakes_.reset();
  }

 private:
  const config::Config& Config() const { return options_.initial.config->config; }

  void Apply(const config::Config& config, const config::Users& users, const launch::Capabilities& capabilities) {
    // First: the worker asks the launcher what it can do by these limits.
    if (options_.use_capabilities) options_.use_capabilities(capabilities);
    worker_.SetLimits(WorkerLimitsOf(config, users));
    call_limits_.SetMax(config.max_streams_per_user);
    guard_.SetMaxInProgress(config.max_streams_per_user);
    throttle_.SetRate(config.login_rate);
    max_batch_jobs_.store(config.max_batch_jobs, std::memory_order_relaxed);
    rpc_->SetMaxPerAddress(config.max_connections_per_address);
    (void)logging::Reopen(*options_.log);  // an error leaves the old file in use, which is no reason to refuse what was reloaded
    logging::SetLevel(*options_.log, config.log_level);
    streams_.RecheckAll();
  }

  // A call that is over a user's limit is only counted: its user knows, and no one else need to.
  void OnCallRefused(const CallAdmission::Refused& refused) {
    const std::string_view code = base::CodeName(refused.error.code());
    if (refused.error.code() == base::Code::kResourceExhausted) return options_.metrics->OnRefused(code);
    const auto name = [&] {
      return refused.certificate != nullptr ? CertificateNameForLog(*refused.certificate) : CertificateNameForLog(refused.pem);
    };
    OnRefused(refused.method, refused.caller, refused.peer, name, code, refused.error.message());
  }

  void OnRefused(std::string_view path, std::string_view caller, std::string_view peer,
                 const std::function<std::string()>& certificate, std::string_view code, std::string_view text) {
    options_.metrics->OnRefused(code);
    const std::string from = peer.empty() ? "an unknown address" : PeerText(peer);
    LogLine(from, [&] {
      return "refused " + base::EscapeForTerminal(path.substr(0, 128)) + " of " +
             (caller.empty() ? std::string("a stranger") : std::string(caller)) + " from " + from + ", certificate " +
             certificate() + ": " + std::string(text);
    });
  }

  // One of ours with ourselves, whose certificate need not be a client's.
  base::Status TryHandshake(const TlsMaterial& tls) {
    trying_.store(true);
    base::Status tried = CheckHandshake(rpc_->address(), tls);
    trying_.store(false);
    return tried;
  }

  void OnHandshakeFailed(const HandshakeWatch::Failure& failure) {
    if (trying_.load() && failure.fingerprint && failure.fingerprint() == tls_.Current()->fingerprint) return;
    options_.metrics->OnRefused(base::CodeName(base::Code::kUnauthenticated));
    const std::string from = PeerText(failure.peer);
    LogLine(from, [&] {
      return "refused the TLS handshake of " + from + ": " + std::string(failure.reason) +
             (failure.certificate ? "; certificate " + failure.certificate() : "");
    });
  }

  // The line is made only when it is written.
  void LogLine(const std::string& from, const std::function<std::string()>& line) {
    // By address, whatever the port.
    const auto suppressed = refusals_.Allow(from.substr(0, from.rfind(':')));
    if (!suppressed) return;
    if (*suppressed > 0) options_.log->warn("{} refusals of {} were not logged", *suppressed, from.substr(0, from.rfind(':')));
    options_.log->warn("{}", line());
  }

  const ServiceOptions options_;
  worker::Worker& worker_;
  const base::Clock& clock_;
  NamedRateLimit refusals_;
  SessionTable sessions_;
  AccessControl access_;
  LoginThrottle throttle_;
  PasswordQueue passwords_;
  Logins logins_;
  TlsState tls_;
  CallLimits call_limits_;
  std::atomic<uint32_t> max_batch_jobs_;
  CallAdmission admission_;
  MemoryBudget uploads_;
  MemoryBudget decoding_;
  ConnectionTable connections_;
  HeapTrimmer heap_;
  ConnectionGuard guard_;
  const ErrorReporter errors_;
  StreamRegistry streams_;
  TaskPool tasks_;
  Reloader reloader_;
  const Api api_;
  const CallSupport support_;
  MethodTable methods_;
  std::atomic<bool> trying_{false};  // one reload at a time
  std::optional<HandshakeWatch> handshakes_;
  std::unique_ptr<RpcServer> rpc_;  // last but one: it ends before what its calls use
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
};

worker::Retention RetentionOf(const config::Config& config, const config::Users& users) {
  worker::Retention retention{.all = {.max_age = config.retention_max_age,
                                      .max_bytes = config.retention_max_bytes,
                                      .max_batches = config.retention_max_batches},
                              .compress_after = config.retention_compress_after};
  for (const config::User& user : users.all()) {
    if (!user.retention) continue;
    retention.owners[user.name] = {.max_age = user.retention->max_age.value_or(config.retention_max_age),
                                   .max_bytes = user.retention->max_bytes.value_or(0),
                                   .max_batches = user.retention->max_batches.value_or(0)};
  }
  return retention;
}

// Every user of the file, so that one whose quota is lifted has none.
std::map<std::string, worker::OwnerQuota> QuotasOf(const config::Users& users) {
  std::map<std::string, worker::OwnerQuota> quotas;
  for (const config::User& user : users.all()) {
    quotas[user.name] = {.max_queued = user.max_queued, .max_running = user.max_running.value_or(0)};
  }
  return quotas;
}

}  // namespace

worker::WorkerLimits WorkerLimitsOf(const config::Config& config, const config::Users& users) {
  return {.max_running = config.max_running != 0 ? config.max_running : std::max(1u, std::thread::hardware_concurrency()),
          .max_queued = config.max_queued,
          .max_queued_per_user = config.max_queued_per_user,
          .max_batch_jobs = config.max_batch_jobs,
          .max_output_bytes = config.max_output_bytes,
          .min_free_bytes = config.min_free_bytes,
          .default_profile = config.default_profile,
          .default_timeout = config.default_timeout,
          .default_kill_after = config.default_kill_after,
          .default_limits = {.memory_bytes = config.default_memory,
                             .cpu_millis = config.default_cpu_millis,
                             .pids = config.default_pids},
          .default_workdir = config.default_workdir,
          .default_path = config.default_path,
          .retention = RetentionOf(config, users),
          .quotas = QuotasOf(users)};
}

base::Result<std::unique_ptr<Service>> Service::Start(worker::Worker& worker, const base::Clock& clock, ServiceOptions options,
                                                      base::Listener listener) {
  base::Fd metrics = std::move(options.metrics_socket);
  auto service = std::make_unique<ServiceImpl>(worker, clock, std::move(options));
  JOBD_RETURN_IF_ERROR(service->Serve(std::move(listener)));
  if (metrics) JOBD_RETURN_IF_ERROR(service->ServeMetrics(std::move(metrics)));
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace jobd::server
