#include "daemon/server_keeper.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/errno_text.h"
#include "base/notify.h"
#include "base/text.h"
#include "daemon/hidden_paths.h"
#include "daemon/trusted_path.h"
#include "launch/launcher/job_accounts.h"
#include "logging/fields.h"
#include "logging/logging.h"

namespace jobd::daemon {

namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{5000};
constexpr std::chrono::seconds kStopPatience{5};

launch::LauncherOptions LauncherOptionsOf(const Options& asked, const Configuration& configuration, const ServerAccount& account,
                                          const ServiceDirs& dirs, const base::Listener& listener, sandbox::GroupDriver& driver,
                                          sandbox::Isolation& isolation, std::shared_ptr<launch::OwnerUids> uids) {
  launch::LauncherOptions options;
  options.shim.log_dir = dirs.log.get();
  if (account.uid) options.shim.log_owner = {.switch_user = true, .uid = *account.uid, .gid = account.gid};
  options.shim.driver = &driver;
  options.shim.isolation = &isolation;
  options.shim.default_workdir = configuration.config.default_workdir;
  options.shim.job_files = asked.job_descriptors;
  options.policy = PolicyOf(configuration, account);
  options.uids = std::move(uids);
  options.hello_ack = {.config_name = asked.config_file,
                       .environment = OverridesOf(asked).environment,
                       .set_flags = asked.set_flags,
                       .descriptors = {"state", "log", "runtime"}};
  options.hello_fds = {dirs.state.get(), dirs.log.get(), dirs.runtime.get()};
  for (const base::Fd& socket : listener.sockets) {
    options.hello_ack.descriptors.emplace_back("listen");
    options.hello_fds.push_back(socket.get());
  }
  return options;
}

launch::OwnerRights RightsOf(const config::User& user) {
  launch::OwnerRights rights{.profiles = user.profiles};
  // Jobs that were accepted before their user was disabled still run, as nobody in particular.
  if (!user.disabled) rights.run_as = user.run_as;
  rights.bounds = launch::BoundsOf(user);
  rights.max_running = user.max_running.value_or(0);
  return rights;
}

}  // namespace

launch::Policy PolicyOf(const Configuration& configuration, const ServerAccount& account) {
  launch::Policy policy;
  policy.privileged = account.uid.has_value();
  policy.own_account = policy.privileged ? "root" : account.name;
  policy.job_user = configuration.config.job_user;
  policy.server_uid = account.uid;
  if (account.uid) policy.server_gid = account.gid;
  policy.default_env = configuration.config.default_env;
  policy.default_path = configuration.config.default_path;
  policy.profiles = configuration.profiles;
  policy.default_workdir = configuration.config.default_workdir;
  // The server takes the processors that it may use; this is no fewer.
  policy.max_running = configuration.config.max_running;
  if (policy.max_running == 0) policy.max_running = static_cast<uint32_t>(std::max(1, ::get_nprocs_conf()));
  for (const config::User& user : configuration.users.all()) policy.owners.emplace(user.name, RightsOf(user));
  return policy;
}

ServerKeeper::ServerKeeper(const Options& options, Configuration configuration, const ServerAccount& account,
                           const ServiceDirs& dirs, const base::Listener& listener, const base::Fd& metrics,
                           sandbox::GroupDriver& driver, sandbox::Isolation& isolation, std::shared_ptr<launch::OwnerUids> uids,
                           spdlog::logger& log)
    : options_(options),
      account_(account),
      dirs_(dirs),
      isolation_(isolation),
      log_(log),
      files_(
          std::move(configuration),
          [&options, &account]() -> base::Result<Configuration> {
            JOBD_ASSIGN_OR_RETURN(Configuration read, OpenConfiguration(options));
            const launch::Policy policy = PolicyOf(read, account);
            JOBD_RETURN_IF_ERROR(launch::CheckJobAccounts(policy));
            JOBD_RETURN_IF_ERROR(CheckTrustedPrograms(launch::UidsInPolicy(policy)));
            return read;
          },
          [&account](const Configuration& read) { return PolicyOf(read, account); }, metrics),
      launcher_(context_,
                LauncherOptionsOf(options, files_.in_force(), account, dirs, listener, driver, isolation, std::move(uids)),
                Hooks()),
      signals_(context_),
      timer_(context_),
      watchdog_(context_),
      backoff_(kFirstBackoff) {}

int ServerKeeper::Run() {
  sigset_t mask;
  ::sigemptyset(&mask);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&mask, signal);
  signals_.assign(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  AwaitSignal();
  AwaitWatchdog();
  if (!options_.external_server) {
    StartServerOrRetry();
  } else if (const auto status = ListenForServers(); !status.ok()) {
    log_.error("listening for jobd-server: {}", status.error().message());
    return 1;
  }
  context_.run();
  return exit_code_;
}

launch::LauncherHooks ServerKeeper::Hooks() {
  launch::LauncherHooks hooks;
  hooks.on_ready = [this](const std::string& address) {
    was_ready_ = reached_ready_ = true;
    if (std::exchange(reload_asked_, false) && server_) server_->Signal(SIGHUP);
    log_.info("ready at {}", base::EscapeForTerminal(address));
    base::NotifyServiceManager("READY=1\nSTATUS=ready at " + base::EscapeForTerminal(address) + "\n");
  };
  hooks.on_server_gone = [this](const std::string& why) {
    if (why.empty() || !server_) return;
    log_.error("jobd-server does what it must not ({}): ending it", why);
    server_->Signal(SIGKILL);
  };
  hooks.on_alive = [this] {
    ping_sent_ = false;
    base::NotifyServiceManager("WATCHDOG=1\n");
  };
  hooks.on_denied = [this](const launch::LaunchRequest& request, const std::string& why) {
    log_.warn("{}", logging::Line("refused by policy: " + base::EscapeForTerminal(why),
                                  {{"correlation_id", base::EscapeForTerminal(request.correlation_id)},
                                   {"owner", base::EscapeForTerminal(request.owner)},
                                   {"job", std::to_string(request.key.index)}}));
  };
  hooks.read_files = [this](std::vector<base::Fd>& fds) { return files_.Give(fds); };
  hooks.prepare_files = [this] { return PrepareFiles(); };
  hooks.commit_files = [this] {
    files_.Commit();
    OnCommitted();
  };
  hooks.drop_files = [this] { files_.Drop(); };
  hooks.report = [this](const std::string& text) { log_.warn("{}", base::EscapeForTerminal(text)); };
  return hooks;
}

// What of the configuration is ours, besides the policy. The launcher makes the jobs' views again behind this.
void ServerKeeper::OnCommitted() {
  const config::Config& config = files_.in_force().config;
  logging::SetLevel(log_, config.log_level);
  // What was hidden stays so: keys that are not in use any more are no less secret.
  const HiddenPaths secret = HiddenFromJobs(options_, config, dirs_, account_.uid.has_value());
  isolation_.HideMore(secret.hidden, secret.emptied);
  log_.info("the files that were read again are in force");
  for (const std::string& warning : files_.in_force().warnings) log_.warn("{}", base::EscapeForTerminal(warning));
}

void ServerKeeper::ReopenLog() {
  if (const auto status = logging::Reopen(log_); !status.ok()) {
    log_.warn("the log goes on in the old file: {}", base::EscapeForTerminal(status.error().message()));
  }
}

launch::PreparedFiles ServerKeeper::PrepareFiles() {
  // The server may not make the file, and opens what we have made when it takes what is prepared.
  ReopenLog();
  launch::PreparedFiles prepared = files_.Prepare();
  if (!prepared.files.error.empty()) {
    log_.error("reload: nothing was changed: {}", base::EscapeForTerminal(prepared.files.error));
  }
  return prepared;
}

// The next server gets what we have in force: were this left to it, one that cannot come up with these files never would.
void ServerKeeper::ReloadWithoutServer() { (void)launcher_.Reload(); }

base::Status ServerKeeper::StartServer() {
  // Each time: it gets the key and every batch.
  JOBD_RETURN_IF_ERROR(CheckTrustedPrograms(launch::UidsInPolicy(PolicyOf(files_.in_force(), account_))));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return base::SysError("making a socket pair", errno);
  base::Fd ours(ends[0]);
  const base::Fd theirs(ends[1]);
  launch::ServerPlan plan;
  plan.program = ServerProgram();
  plan.socket = theirs.get();
  if (account_.uid) {
    plan.uid = account_.uid;
    plan.gid = account_.gid;
  }
  // Frames of and for the server before are dropped: the new one reads the store and the exit files.
  JOBD_ASSIGN_OR_RETURN(server_, launch::ServerProcess::Start(context_, plan, [this](auto status) { OnServerExit(status); }));
  reached_ready_ = false;
  ping_sent_ = false;
  launcher_.Serve(std::move(ours), starts_++);
  return base::Ok();
}

void ServerKeeper::StartServerOrRetry() {
  const auto status = StartServer();
  if (status.ok()) return;
  log_.error("starting jobd-server: {}", status.error().message());
  if (!was_ready_) {
    exit_code_ = 1;
    context_.stop();
    return;
  }
  timer_.expires_after(std::exchange(backoff_, std::min(backoff_ * 2, kLongestBackoff)));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopping_) StartServerOrRetry();
  });
}

base::Status ServerKeeper::ListenForServers() {
  launch::ServerSocketHooks hooks;
  hooks.on_server = [this](launch::ConnectedServer server) { TakeServer(std::move(server)); };
  hooks.report = [this](const std::string& text) { log_.warn("{}", text); };
  JOBD_ASSIGN_OR_RETURN(
      socket_, launch::ServerSocket::Listen(
                   context_, {.dir = dirs_.runtime.get(), .owner = dirs_.owner, .server_uid = account_.uid.value_or(::geteuid())},
                   std::move(hooks)));
  log_.info("waiting for jobd-server");
  return base::Ok();
}

void ServerKeeper::TakeServer(launch::ConnectedServer server) {
  // The socket lets one in only after the other has ended, which we may not have heard yet.
  if (server_) OnServerExit(std::nullopt);
  if (stopping_) return;
  server_ = launch::ServerProcess::Watch(context_, server.pid, std::move(server.pidfd), [this, pid = server.pid](auto status) {
    if (server_ && server_->pid() == pid) OnServerExit(status);  // and not one that has a successor already
  });
  reached_ready_ = false;
  ping_sent_ = false;
  launcher_.Serve(std::move(server.socket), starts_++);
}

void ServerKeeper::OnServerExit(std::optional<base::ExitStatus> status) {
  // We are called from within the server's own handler.
  asio::post(context_, [dead = std::shared_ptr<launch::ServerProcess>(std::move(server_))] {});
  launcher_.Disconnect();
  if (stopping_) {
    context_.stop();
    return;
  }
  if (!was_ready_ && (!status || status->kind == base::ExitStatus::Kind::kExited)) {
    // The server has said why; another start would end the same way.
    if (socket_) log_.error("jobd-server ended before it was ready");
    exit_code_ = status && status->value != 0 ? status->value : 1;
    context_.stop();
    return;
  }
  if (std::exchange(reload_asked_, false)) ReloadWithoutServer();
  if (socket_) {
    log_.warn("jobd-server ended; jobs run on; waiting for the next one");
    base::NotifyServiceManager("STATUS=waiting for jobd-server\n");
    return;
  }
  // Back-off is for servers that do not come up: one that did was ended by somebody, and its followers wait.
  if (reached_ready_) backoff_ = kFirstBackoff;
  log_.warn("jobd-server ended ({}); starting it again in {} ms; jobs run on", status->ToString(), backoff_.count());
  timer_.expires_after(std::exchange(backoff_, std::min(backoff_ * 2, kLongestBackoff)));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopping_) StartServerOrRetry();
  });
}

// We tell the service manager that we live, and only when the server has just told us the same.
void ServerKeeper::AwaitWatchdog() {
  const auto interval = base::WatchdogInterval();
  if (!interval) return;
  watchdog_.expires_after(*interval);
  watchdog_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    // While a server that the manager starts is away, that is the manager's to notice.
    if (!server_ && options_.external_server) base::NotifyServiceManager("WATCHDOG=1\n");
    if (server_ && !std::exchange(ping_sent_, true)) launcher_.Ping();
    AwaitWatchdog();
  });
}

void ServerKeeper::AwaitSignal() {
  signals_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    signalfd_siginfo info;
    while (::read(signals_.native_handle(), &info, sizeof info) == sizeof info) OnSignal(static_cast<int>(info.ssi_signo));
    AwaitSignal();
  });
}

void ServerKeeper::OnSignal(int signal) {
  if (signal == SIGHUP) {
    ReopenLog();
    if (!server_) return ReloadWithoutServer();
    // One that is still starting is asked when it is ready: until it expects the signal, that would end it.
    if (reached_ready_) {
      server_->Signal(SIGHUP);
    } else {
      reload_asked_ = true;
    }
    return;
  }
  if (!stopping_) BeginStop();
}

void ServerKeeper::BeginStop() {
  stopping_ = true;
  socket_.reset();
  log_.info("stopping the service; {} running jobs go on", launcher_.live_shims());
  base::NotifyServiceManager("STOPPING=1\n");
  timer_.cancel();
  if (!server_) {
    context_.stop();
    return;
  }
  server_->Signal(SIGTERM);
  timer_.expires_after(kStopPatience);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !server_) return;
    log_.warn("jobd-server does not end by itself: killing it");
    server_->Signal(SIGKILL);
    // A process that waits for a disk in the kernel ends when the disk comes back, and not before. We do not wait for it.
    timer_.expires_after(kStopPatience);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled || !server_) return;
      log_.error("jobd-server cannot be killed: it hangs on a disk that does not answer, and ends when that does");
      (void)server_.release();  // to destroy it is to wait for it
      context_.stop();
    });
  });
}

}  // namespace jobd::daemon
