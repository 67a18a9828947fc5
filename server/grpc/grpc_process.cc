#include "server/grpc/grpc_process.h"

#include <absl/synchronization/mutex.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include <string_view>

#include "base/text.h"
#include "server/grpc/connections/handshake_watch.h"
#include "server/rpc/rate_limit.h"

namespace jobd::server {
namespace {

constexpr uint32_t kLinesPerSecond = 2;

struct Route {
  std::shared_ptr<spdlog::logger> log;
  RateLimit limit;
};

// Never destroyed: gRPC's threads may log until the process is gone.
Route*& TheRoute() {
  static Route* route = nullptr;
  return route;
}

void Write(gpr_log_func_args* line) {
  if (HandshakeWatch::IsTelling()) return;  // in words of our own
  Route& route = *TheRoute();
  const auto suppressed = route.limit.Allow();
  if (!suppressed) return;
  if (*suppressed > 0) route.log->warn("grpc: {} lines were not logged", *suppressed);
  route.log->warn("grpc: {}", base::EscapeForTerminal(std::string_view(line->message).substr(0, 512)));
}

}  // namespace

void TuneGrpc() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

void MuteGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void RouteGrpcLog(std::shared_ptr<spdlog::logger> log, const base::Clock& clock) {
  if (TheRoute() != nullptr) return;
  TheRoute() = new Route{std::move(log), RateLimit(kLinesPerSecond, clock)};
  gpr_set_log_function(&Write);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

}  // namespace jobd::server
