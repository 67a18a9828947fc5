// A real jobd of the test's own: a folder, certificates and a port of its own, and jobctl to talk to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/harness/process.h"
#include "tests/support/processes.h"
#include "tests/support/temp_dir.h"

namespace jobd::e2e {

using test::AnyProcessRuns;
using test::ChildrenNamed;
using test::ProcessLives;

struct DaemonOptions {
  std::string config;                     // more TOML, behind the sections every test needs
  std::vector<std::string> flags;         // of jobd
  std::string server = "";                // more lines of [server]
  std::vector<std::string> wrapper = {};  // a command that runs jobd in its own process, for the first start
  bool external_server = false;           // jobd-server is not jobd's child: the harness starts it, and again after a kill
  std::vector<std::pair<std::string, std::string>> env = {};  // of jobd
};

// Made with everything but the running daemon; Start runs it. When destroyed, its jobs are cancelled, it is stopped, nothing of it
// may be left running (a test failure otherwise), and its folder is removed.
class Daemon {
 public:
  explicit Daemon(DaemonOptions options = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Before the first start, as root: jobd runs as this user, who need not have an account. Its programs are copied to `bin`, as
  // they may lie where such a user cannot walk to; empty: a folder of its own.
  void BelongTo(uid_t uid, std::string bin = "");
  // As ourselves, from copies of the programs in `bin`.
  void RunFrom(const std::string& bin);
  // Starts jobd and waits until it accepts connections. False with why in log(), when jobd has ended.
  bool Start(Seconds patience = kPatience);
  // After its end, or to end it by kill -9: waits until it and its server are gone.
  void Reap();
  // SIGTERM, and waits for its end.
  Output Stop();
  // kill -9 of the launcher alone, and waits for the end of the server that then has none.
  void KillLauncher();
  // kill -9 of jobd-server, and waits until the next one accepts connections.
  void KillServer();
  // The two halves of it, for what happens in between. Of an external server only: jobd starts its own at once.
  void EndServer();
  void StartServer();
  bool running() const { return process_.has_value(); }

  const std::string& folder() const { return folder_.path(); }
  std::string RuntimeDir() const;
  // A folder that jobs, which run as other users, can write to.
  const std::string& ShareDir() const { return share_.path(); }
  std::string LogDir() const { return folder() + "/logs"; }
  std::string CertDir() const { return folder() + "/certs"; }
  std::string ConfigFile() const { return folder() + "/jobd.toml"; }
  // A copy of one of tests/payloads that jobs can execute.
  std::string Payload(const std::string& name) const;
  // host:port; read anew each time, since a restart may change it.
  std::string Address() const;
  int Port() const;
  pid_t LauncherPid() const { return process_->pid(); }
  pid_t ServerPid() const;
  // What jobd and jobd-server wrote to standard error.
  std::string log() const;
  // A jobd-server as somebody else would start it, as the account that jobd expects.
  Command ServerCommand() const;

  // A jobctl command line, as one of the users that make-certs.sh makes.
  Command Ctl(std::vector<std::string> args, const std::string& user = "operator", std::string input = "") const;
  // Runs it to its end.
  Output Do(std::vector<std::string> args, const std::string& user = "operator", std::string input = "",
            Seconds patience = kPatience) const;
  // Runs it, expects exit 0, and returns its standard output without the last newline.
  std::string Ok(std::vector<std::string> args, const std::string& user = "operator", std::string input = "") const;

 private:
  bool WaitReady(pid_t other_than, Seconds patience = kPatience);
  // Waits until jobd has said so in its log, from `begin` on.
  bool WaitSaid(const std::string& text, size_t begin) const;

  DaemonOptions options_;
  // In /tmp itself, where isolated jobs see none but their working directory. The daemon's own folder is closed to everybody else:
  // it must work below a folder that its unprivileged part cannot walk to.
  test::TempDir folder_{"/tmp", 0700};
  test::TempDir share_{"/tmp", 0777};
  std::optional<Process> process_;
  std::optional<Process> server_;  // the external one
  pid_t ended_server_ = -1;
};

// The path of one of the built programs.
std::string Binary(const std::string& name);
// A file's content; empty when it cannot be read.
std::string ReadFileOrEmpty(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);
// SHA-256, hex.
std::string Sha256(const std::string& bytes);

}  // namespace jobd::e2e
