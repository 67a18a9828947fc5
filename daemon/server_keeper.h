// Keeps one jobd-server beside the launcher's loop, started here or by somebody else, and ends both on request. Jobs never notice.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <spdlog/fwd.h>
#include "base/listener.h"
#include "daemon/configuration.h"
#include "daemon/options.h"
#include "daemon/reloadable_files.h"
#include "daemon/service_dirs.h"
#include "launch/launcher/launcher.h"
#include "launch/server/server_process.h"
#include "launch/server/server_socket.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/isolation/isolation.h"

namespace jobd::daemon {

// Single-threaded. Used once.
class ServerKeeper {
 public:
  // All references are borrowed and outlive the keeper. `configuration` is what was read at the start.
  ServerKeeper(const Options& options, Configuration configuration, const ServerAccount& account, const ServiceDirs& dirs,
               const base::Listener& listener, const base::Fd& metrics, sandbox::GroupDriver& driver, sandbox::Isolation& isolation,
               std::shared_ptr<launch::OwnerUids> uids, spdlog::logger& log);

  // Runs until SIGTERM or SIGINT, or until the first server ends before it was ready. Returns the exit code. The signals it handles
  // must be blocked.
  int Run();

 private:
  base::Status StartServer();
  void StartServerOrRetry();
  base::Status ListenForServers();
  void TakeServer(launch::ConnectedServer server);
  void OnServerExit(std::optional<base::ExitStatus> status);
  void AwaitSignal();
  void OnSignal(int signal);
  void BeginStop();
  void AwaitWatchdog();
  void ReopenLog();
  launch::PreparedFiles PrepareFiles();
  void ReloadWithoutServer();
  launch::LauncherHooks Hooks();
  void OnCommitted();

  const Options& options_;
  const ServerAccount& account_;
  const ServiceDirs& dirs_;
  sandbox::Isolation& isolation_;
  spdlog::logger& log_;
  boost::asio::io_context context_{1};
  ReloadableFiles files_;
  launch::Launcher launcher_;
  boost::asio::posix::stream_descriptor signals_;
  boost::asio::steady_timer timer_;               // until the next start, or until a server that was told to end is killed
  std::unique_ptr<launch::ServerSocket> socket_;  // with an external server
  boost::asio::steady_timer watchdog_;
  bool ping_sent_ = false;  // and not answered by the present server
  std::unique_ptr<launch::ServerProcess> server_;
  uint32_t starts_ = 0;
  bool was_ready_ = false;  // ever
  bool stopping_ = false;
  int exit_code_ = 0;
  std::chrono::milliseconds backoff_;
  bool reached_ready_ = false;  // the present server
  bool reload_asked_ = false;   // while it was starting
};

// The launcher's policy, from the configuration and the users file.
launch::Policy PolicyOf(const Configuration& configuration, const ServerAccount& account);

}  // namespace jobd::daemon
