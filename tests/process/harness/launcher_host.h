// A real launcher, in a process of its own, with the test in the place of jobd-server at the other end of the socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/frames.h"
#include "launch/launcher/launcher.h"
#include "tests/support/processes.h"
#include "tests/support/temp_dir.h"

namespace jobd::process_test {

using test::ProcessLives;
using test::TempDir;

// Of the uids that jobs get here, which are no installed jobd's: each test program has a range of its own, beyond this one.
inline constexpr uid_t kFirstUid = 1'610'612'736;

// What tells the groups of a launcher with this log directory from another's.
std::string TagOf(const std::string& log_dir);

struct HostOptions {
  std::string log_dir;  // must exist
  bool without_cgroups = false;
  launch::Policy policy;  // privileged, own_account and the owner of batches are filled in
  launch::FileOwner log_owner;
  std::vector<std::string> hidden;  // from isolated jobs, and so the next two
  std::vector<std::string> emptied;
  std::string home;
  bool keeps_uids = false;  // in log_dir
  uint32_t uid_count = 65'536;
  std::string resolver;  // as in IsolationOptions
  std::string default_workdir = "/";
  bool as_nobody = false;  // log_dir must be nobody's
  // Instead of the one end of a socket pair that the test has else, a ServerSocket in log_dir for servers of this uid.
  std::optional<uid_t> listen_for;
  std::chrono::milliseconds shim_turn{200};  // see LauncherOptions
  bool reload_without_owners = false;        // what a reload brings
};

// The next frame from a launcher; aborts the test after `seconds`. kUnavailable when the launcher has closed the connection.
base::Result<launch::LauncherFrame> ReceiveFrom(int socket, int seconds = 20);

// Kills the launcher when destroyed and removes its cgroups if they are empty; jobs are the test's to end.
class LauncherHost {
 public:
  explicit LauncherHost(HostOptions options);
  ~LauncherHost();

  void Send(const launch::ServerFrame& frame);
  // The next frame; aborts the test after `seconds`.
  launch::LauncherFrame Receive(int seconds = 20);
  // A new connection to the ServerSocket. Aborts the test when that cannot be had.
  base::Fd Connect() const;
  // kill -9.
  void Kill();
  // From now on it can have so many descriptors more than it has; none: as many as before.
  void LimitDescriptors(std::optional<int> more) const;
  pid_t pid() const { return pid_; }
  int socket() const { return socket_.get(); }

 private:
  void Run(base::Fd socket, const HostOptions& options);
  std::string SocketPath() const { return log_dir_ + "/" + launch::kServerSocketName; }

  std::string log_dir_;
  TempDir homes_;  // of jobs
  pid_t pid_ = 0;
  base::Fd socket_;
};

// A batch's folder as the server makes it, and requests for its jobs.
class Batch {
 public:
  explicit Batch(std::string log_dir, uint32_t jobs = 1, std::string id = "batch", std::string owner = "owner");

  launch::LaunchRequest Request(std::vector<std::string> argv, uint32_t index = 1, uint32_t attempt = 1) const;
  launch::Watch WatchOf(const launch::LaunchRequest& request) const;
  std::string File(const std::string& name) const;  // its content; empty when there is none
  bool Has(const std::string& name) const;
  launch::SlotRecord Slot(uint32_t index = 1) const;
  // Waits, woken by inotify, until the slot satisfies the condition.
  launch::SlotRecord AwaitSlot(const std::function<bool(const launch::SlotRecord&)>& condition, uint32_t index = 1) const;
  int exits() const { return exits_.get(); }
  std::string path() const { return log_dir_ + "/" + owner_ + "/" + id_; }

 private:
  std::string log_dir_;
  std::string id_;
  std::string owner_;
  uint64_t number_;
  uint32_t jobs_;
  base::Fd exits_;
};

// Runs a request to its end and gives the record.
launch::SlotRecord RunToEnd(LauncherHost& host, const Batch& batch, const launch::LaunchRequest& request);

// Waits until the file exists and its content satisfies the condition; inotify on its folder wakes.
std::string AwaitFile(
    const std::string& dir, const std::string& name,
    const std::function<bool(const std::string&)>& condition = [](const std::string& s) { return !s.empty(); });

// The path of a payload program.
// A folder with the programs of tests/payloads that jobs can reach under every profile.
const std::string& PayloadDir();
std::string Payload(const std::string& name);

}  // namespace jobd::process_test
