// jobd-server: what speaks to the network. It holds no privilege, forks nothing, and may be killed at any time: jobs are the
// launcher's and the shims', and what was promised is in the database.
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include "base/clock.h"
#include "base/listener.h"
#include "base/notify.h"
#include "base/starter.h"
#include "base/text.h"
#include "base/units.h"
#include "launch/contract/frames.h"
#include "logging/logging.h"
#include "server/grpc/grpc_process.h"
#include "server/grpc/tls_policy.h"
#include "server/ops/daily.h"
#include "server/ops/launcher_files.h"
#include "server/ops/launcher_socket.h"
#include "server/ops/maintenance.h"
#include "server/ops/runtime_files.h"
#include "server/ops/worker_events.h"
#include "server/options.h"
#include "server/service.h"
#include "worker/launcher/local/jobd_connection.h"
#include "worker/launcher/local/local_launcher.h"
#include "worker/worker.h"

namespace {

using jobd::base::Error;

constexpr int kPredecessorMs = 5000;
constexpr int kCallGraceMs = 3000;
static_assert(kCallGraceMs > 1000, "or quiet_queue.cc would take the wait for calls at a shutdown for one that may last");
constexpr unsigned kShutdownSeconds = 5;

int Fail(const Error& error) {
  std::fprintf(stderr, "jobd-server: %s\n", jobd::base::EscapeForTerminal(error.message()).c_str());
  return 1;
}

jobd::base::Result<jobd::base::Fd> LauncherSocket(const std::string& path) {
  if (path.empty()) return jobd::base::Fd(jobd::launch::kServerSocketFd);
  return jobd::server::ConnectToLauncher(path);
}

sigset_t BlockSignals() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&mask, signal);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return mask;
}

// A page of a log is 256 KiB, which malloc by itself gets from the kernel anew and gives back each time: a fault for each 4 KiB of
// what is streamed, a tenth of all it costs. So it may keep some; each arena has one such rest.
void KeepMemoryOfPages() {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

std::shared_ptr<spdlog::logger> OpenLog(const jobd::config::Config& config) {
  jobd::logging::Options options{
      .level = config.log_level, .format = config.log_format, .file = config.log_file, .program = "jobd-server"};
  auto log = jobd::logging::Create(options);
  if (log.ok()) return *std::move(log);
  // The file may be below a directory that only root may walk through. Standard error is the launcher's, which somebody reads.
  options.file.clear();
  const std::string why = log.error().message();
  log = jobd::logging::Create(options);
  if (!log.ok()) return nullptr;
  (*log)->warn("logging to standard error: {}", jobd::base::EscapeForTerminal(why));
  return *std::move(log);
}

// A stop or a drain is kept over restarts: who starts us must not wonder why nothing runs.
void SayIfNotRunning(const jobd::worker::WorkerStatus& status, spdlog::logger& log) {
  if (status.state == jobd::worker::ServiceState::kRunning) return;
  const bool stopped = status.state == jobd::worker::ServiceState::kStopped;
  const std::string who = status.state_by.empty() ? "" : " by " + jobd::base::EscapeForTerminal(status.state_by);
  const std::string since =
      status.state_since == 0 ? "" : " since " + jobd::base::FormatUtc(status.state_since / jobd::base::kNanosPerSecond);
  log.warn("the service is {}{}{}: {}; `jobctl admin start` starts it again", stopped ? "stopped" : "draining", who, since,
           stopped ? "no job is taken or started" : "what was accepted is done, and nothing new is taken");
}

// Until told to stop. Signals that come while a reload is under way are one signal. Between them certificates come of age.
void ServeUntilStopped(const sigset_t& signals, jobd::server::Service& service, spdlog::logger& log,
                       const jobd::base::Clock& clock) {
  jobd::server::Daily daily;
  for (;;) {
    if (daily.IsDue(clock.Realtime())) {
      for (const std::string& warning : service.Warnings()) log.warn("{}", jobd::base::EscapeForTerminal(warning));
    }
    const timespec an_hour{.tv_sec = 3600, .tv_nsec = 0};
    const int signal = sigtimedwait(&signals, nullptr, &an_hour);
    if (signal < 0) continue;
    if (signal != SIGHUP) return;
    // First, and whatever becomes of the reload: who rotates the log asks for no more than this.
    if (const auto status = jobd::logging::Reopen(log); !status.ok()) {
      log.warn("the log goes on in the old file: {}", jobd::base::EscapeForTerminal(status.error().message()));
    }
    const auto report = service.Reload(false);
    if (!report.ok()) {
      log.error("reload: {}", jobd::base::EscapeForTerminal(report.error().message()));
      continue;
    }
    log.info("reload: {} settings changed, revision {}", report->changed.size(), report->revision);
    for (const std::string& key : report->needs_restart) log.warn("reload: {} changes only with a restart", key);
    for (const std::string& warning : report->warnings) log.warn("reload: {}", jobd::base::EscapeForTerminal(warning));
  }
}

}  // namespace

int main(int argc, char** argv) {
  // 1. Whatever whoever started us has left to us, and the command line. Connections and log files are descriptors; the soft limit
  // only protects programs that use select(2).
  jobd::base::ForgetStarter();
  jobd::base::IgnoreStraySignals();
  const jobd::server::Options options = jobd::server::ParseOptions(argc, argv);

  if (!options.task.empty()) {
    // A check looks at certificates and the key, as step 6 does.
    prctl(PR_SET_DUMPABLE, 0);
    if (const auto status = jobd::server::ApplyTlsPolicy(); !status.ok()) return Fail(status.error());
    return jobd::server::RunMaintenance(options.task, options.replace);
  }

  // 2. The launcher's socket. Signals still end us: there is nothing to clean up, and the wait may be long.
  auto socket = LauncherSocket(options.connect);
  if (!socket.ok()) return Fail(socket.error());

  // 3. Before there are threads, which inherit it: signals are for the main thread to wait for.
  const sigset_t signals = BlockSignals();
  // No core file and no debugger: the private key is in our memory.
  prctl(PR_SET_DUMPABLE, 0);
  umask(027);
  KeepMemoryOfPages();

  // 4. Before gRPC makes its first TLS context, which takes its settings from here.
  jobd::server::TuneGrpc();
  if (const auto status = jobd::server::ApplyTlsPolicy(); !status.ok()) return Fail(status.error());

  // 5. The launcher. Without it we can start nothing, and with the next one comes another one of us: so when it is gone, so are we,
  // at once.
  jobd::worker::JobdConnection connection(*std::move(socket), [](const Error& error) {
    Fail(Error(error).WithContext("the launcher is gone"));
    _exit(1);
  });
  auto welcome = connection.Hello();
  if (!welcome.ok()) return Fail(welcome.error());
  const jobd::config::Overrides overrides{.environment = welcome->ack.environment, .flags = welcome->ack.set_flags};

  // 6. Everything that comes from files, checked before anything is touched.
  const jobd::base::SystemClock clock;
  auto contents = jobd::server::ReadLauncherFiles(connection);
  if (!contents.ok()) return Fail(contents.error());
  auto files = jobd::server::CheckFiles(*std::move(contents), welcome->ack.config_name, overrides, clock.Realtime());
  if (!files.ok()) return Fail(files.error());
  const auto log = OpenLog(files->config->config);
  if (!log) return 1;
  jobd::server::MuteGrpcLog();

  // 7. One server a database: a predecessor that is being killed may still hold it for a moment.
  const auto lock = jobd::server::LockState(welcome->state_dir.get(), kPredecessorMs);
  if (!lock.ok()) return Fail(lock.error());
  // Somebody may have taken the runtime directory away, or its disk is full: that is no reason to serve nobody.
  if (const auto status = jobd::server::WriteServerPid(welcome->runtime_dir.get()); !status.ok()) {
    log->error("server.pid is missing: {}", status.error().message());
  }

  // 8. The worker takes up what ran and what waited, before anyone can ask for it.
  const auto metrics = std::make_shared<jobd::server::Metrics>();
  jobd::server::WorkerEvents events(log, *metrics);
  auto launcher = jobd::worker::LocalLauncher::Create(connection, welcome->log_dir.get(), files->capabilities);
  if (!launcher.ok()) return Fail(launcher.error());
  auto worker = jobd::worker::Worker::Create({.state_dir = welcome->state_dir.get(),
                                              .log_dir = welcome->log_dir.get(),
                                              .limits = jobd::server::WorkerLimitsOf(files->config->config, files->rules->users),
                                              .observer = &events},
                                             **launcher, clock);
  if (!worker.ok()) return Fail(std::move(worker).error());

  // 9. The network, on the sockets that the launcher holds. Serves, and has proved it, when it returns.
  auto listener = jobd::base::AdoptListeners(std::move(welcome->listening));
  if (!listener.ok()) return Fail(listener.error());
  auto metrics_socket = jobd::server::MetricsSocket(connection);
  if (!metrics_socket.ok()) return Fail(metrics_socket.error());
  auto service = jobd::server::Service::Start(
      **worker, clock,
      {.files = [&connection] { return jobd::server::ReloadLauncherFiles(connection); },
       .use_capabilities =
           [&launcher](const jobd::launch::Capabilities& capabilities) { (*launcher)->UseCapabilities(capabilities); },
       .initial = *std::move(files),
       .config_name = welcome->ack.config_name,
       .overrides = overrides,
       .about = {.started_at = clock.Realtime(),
                 .server_restarts = welcome->ack.server_restarts,
                 .capabilities = welcome->ack.capabilities},
       .log = log,
       .metrics = metrics,
       .metrics_socket = *std::move(metrics_socket)},
      *std::move(listener));
  if (!service.ok()) return Fail(std::move(service).error());

  jobd::server::RouteGrpcLog(log, clock);

  // 10. Only now may others find us.
  const std::string address = (*service)->address();
  if (const auto status = jobd::server::WriteAddress(welcome->runtime_dir.get(), address); !status.ok()) {
    log->error("the file `address` is missing, so clients have to be told where we are: {}", status.error().message());
  }
  if (const auto status = connection.Ready(address); !status.ok()) return Fail(status.error());
  // Heard only where it is our unit: a launcher that starts us speaks for both.
  jobd::base::NotifyServiceManager("READY=1\nSTATUS=ready at " + address + "\n");
  log->info("jobd-server {} is ready at {}", JOBD_VERSION, address);
  SayIfNotRunning((*worker)->GetStatus(), *log);

  ServeUntilStopped(signals, **service, *log, clock);

  // 11. Stop. Jobs run on; followers are told to come back. Should anything hang, the alarm ends us: nothing is lost by that.
  alarm(kShutdownSeconds);
  jobd::server::RemoveAddress(welcome->runtime_dir.get());
  (*service)->Shutdown(kCallGraceMs);
  service->reset();
  worker->reset();
  log->info("jobd-server has stopped");
  return 0;
}
