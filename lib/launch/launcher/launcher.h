// The launcher's loop: obeys one server over its socket, forks shims, watches them, and sweeps up after those that died. Jobs are
// not its children and don't depend on it: it may end and another one go on.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "launch/contract/frames.h"
#include "launch/launcher/adoption.h"
#include "launch/launcher/job_count.h"
#include "launch/launcher/job_environment.h"
#include "launch/launcher/line_limit.h"
#include "launch/launcher/live_shim.h"
#include "launch/launcher/mount_watch.h"
#include "launch/launcher/owner_uids.h"
#include "launch/launcher/policy.h"
#include "launch/launcher/shim_pool.h"
#include "launch/launcher/sweeper.h"
#include "launch/shim/shim.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::launch {

// A set of files that could be put in force.
struct PreparedFiles {
  Files files;  // an error when they are refused: then the rest is empty
  std::vector<base::Fd> fds;
  Policy policy;  // that they make
};

// What the launcher asks of the program around it. All are called on the loop's thread.
struct LauncherHooks {
  // The server accepts connections at `address`.
  std::function<void(const std::string& address)> on_ready;
  // The server closed its side of the socket (`why` is empty), or sent something that no honest server sends (`why` says what).
  // Nothing more is taken from it.
  std::function<void(const std::string& why)> on_server_gone;
  // Opens the files in force that a server may see; see Files.
  std::function<Files(std::vector<base::Fd>& fds)> read_files;
  // Reads and checks them again, and keeps them beside those in force until the next call of this, commit_files or drop_files. A
  // revision that no set before had. May be absent: then there are no reloads.
  std::function<PreparedFiles()> prepare_files;
  // What was prepared is in force. Must not fail.
  std::function<void()> commit_files;
  std::function<void()> drop_files;
  // The server answered a Ping. May be absent.
  std::function<void()> on_alive;
  // The launcher's own policy refused a job, which an honest server would not have asked for. May be absent.
  std::function<void(const LaunchRequest& request, const std::string& why)> on_denied;
  // Gets lines for a person to read.
  std::function<void(const std::string& text)> report;
};

struct LauncherOptions {
  ShimContext shim;  // its driver and descriptors are borrowed and outlive the launcher
  Policy policy;
  std::shared_ptr<OwnerUids> uids;                           // for jobs without an account; needed where the policy is privileged
  std::vector<std::string> home_places{"/var/tmp", "/tmp"};  // see Homes
  // A shim without a job is kept for one to two of these.
  std::chrono::milliseconds shim_turn{200};
  // The answer to a server's Hello; restarts and capabilities are filled in. The descriptors, one for each name, are borrowed and
  // outlive the launcher.
  HelloAck hello_ack;
  std::vector<int> hello_fds;
};

// Single-threaded: everything happens on the context's one thread. The destructor leaves shims and jobs alone.
class Launcher {
 public:
  Launcher(boost::asio::io_context& context, LauncherOptions options, LauncherHooks hooks);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // From now on obeys the server at the other end of `socket` (SOCK_SEQPACKET), until on_server_gone.
  void Serve(base::Fd socket, uint32_t server_restarts);
  // Takes no more from the server; what it still had to say is dropped. on_server_gone is not called.
  void Disconnect();
  // Asks the server for a sign of life; on_alive.
  void Ping() { SendToServer(launch::Ping{}); }
  // A reload that no server asks for: prepares and commits. The error of the files when they are refused.
  base::Status Reload();
  size_t live_shims() const { return shims_.size(); }

 private:
  struct Outgoing {
    LauncherFrame frame;
    std::vector<base::Fd> fds;
    size_t size = 0;  // bytes of memory; counted only while the socket is full
  };

  void AwaitFrames();
  void OnFrames();
  void Handle(const Hello& frame);
  void Handle(const Ready& frame);
  // Fills in the owner's bounds.
  void Handle(Launch& frame);
  void Handle(const Watch& frame);
  void Handle(const CancelJob& frame);
  void Handle(const SignalJob& frame);
  void Handle(const Sweep& frame);
  void Handle(const Reconciled& frame);
  void Handle(const ReadFiles& frame);
  void Handle(const Alive& frame);
  void Handle(const PrepareReload& frame);
  void Handle(const CommitReload& frame);
  void Handle(const AbortReload& frame);

  // In force from now on. Shims that were forked under the policy before get no more jobs.
  void SetPolicy(Policy policy);
  PreparedFiles Prepare();
  void Commit();
  void DropPrepared();

  // Makes the jobs' views again where they do not show the machine as it is now. An error: there are none until the next try.
  base::Status RenewViews();
  // The profile of a request that may be started, whose limits are filled in.
  base::Result<const sandbox::Profile*> ProfileOf(LaunchRequest& request);
  // The machine's state or its disk's, which passes, rather than the request's fault: of what is done before there is a shim.
  static bool IsPassing(int error);
  // Whom the job runs as, and who that is. `own_uid`: one that is this job's alone, to be released at its end.
  base::Result<Identity> IdentityOf(const LaunchRequest& request, const sandbox::Profile& profile, std::optional<uid_t>& own_uid,
                                    Person& person);
  base::Result<Person> PersonOf(const LaunchRequest& request, const sandbox::Profile& profile, uid_t uid);
  void Refuse(JobKey key, const base::Error& error, bool retry, bool policy);
  // Tells the program around us, unless it hears of that all the time.
  void TellDenied(const LaunchRequest& request, const std::string& why);
  // Asked of a job whose shim is still to be found, if it lives. Nothing at all: it was found by what it left on the machine.
  struct Asked {
    std::optional<Watch> watch;  // its end is to be told of
    size_t sweeps = 0;           // Swept is owed so often
    std::vector<std::variant<CancelJob, SignalJob>> kept;
  };
  // Looks for all that is searched for, with one look at the machine. Where that cannot be had now, nothing is known, so nothing is
  // killed and nothing is told; it is tried again.
  void Search();
  void SearchIn(std::chrono::milliseconds delay);
  void SearchAgain(const base::Error& why);
  // Searches for every group that no job has.
  base::Status AddUnknown();
  base::Result<FoundShim> LookFor(const Asked& asked, const std::vector<pid_t>& processes) const;
  void TakeFound(JobKey key, Asked asked, FoundShim found);
  void TakeLost(JobKey key, const Asked& asked);
  template <typename Frame>
  bool KeepForLater(const Frame& frame);
  // Watches a shim that another launcher forked, and holds it to its deadline. Its job counts if the server knows of it.
  std::shared_ptr<LiveShim> Adopt(JobKey key, FoundShim found, const std::optional<Watch>& watch);
  // Makes a shim go on whenever it is stopped.
  void KeepAwake(const std::shared_ptr<LiveShim>& shim);
  // A shim with the job, from among those that wait; nullptr when none can have it.
  std::shared_ptr<LiveShim> GiveToWaiting(Assignment& job);
  base::Result<std::shared_ptr<LiveShim>> ForkShim(Assignment job);
  // False: the loop cannot watch another descriptor now, and this one is closed.
  static bool Watchable(boost::asio::posix::stream_descriptor& watched, base::Fd fd);
  // AwaitShim, as soon as the loop can watch another descriptor.
  void WatchShim(const std::shared_ptr<LiveShim>& shim, base::Fd pidfd);
  void AwaitShim(const std::shared_ptr<LiveShim>& shim);
  void OnShimGone(const std::shared_ptr<LiveShim>& shim);
  void AwaitStatus(const std::shared_ptr<LiveShim>& shim);
  void OnStatus(const std::shared_ptr<LiveShim>& shim);
  // `status` as of shim.h.
  void TellEnd(JobKey key, int status);
  void Forget(JobKey key);
  static std::string GroupOf(JobKey key);
  void SweepThen(JobKey key, std::function<void()> done);
  // What cannot be sent now is sent a moment later; `failures`: how often it could not be.
  void SendToShim(JobKey key, int signal, int value, int failures = 0);
  void TellUnsent(std::string text);
  // Has the job's process group signalled: by its shim, or by us, if that hangs.
  void Forward(const std::shared_ptr<LiveShim>& shim, int signal);
  void AwaitTaking(const std::shared_ptr<LiveShim>& shim);
  void LookAtUntaken(const std::shared_ptr<LiveShim>& shim);
  // The job of this shim is to be told to end in `terminate`, and to have ended `kill` after that: by us, if the shim hangs then.
  void Enforce(const std::shared_ptr<LiveShim>& shim, base::Nanos terminate, base::Nanos kill);
  void AwaitBackstop(const std::shared_ptr<LiveShim>& shim, std::chrono::steady_clock::time_point at);
  void LookAtBackstop(const std::shared_ptr<LiveShim>& shim);
  void SendToServer(LauncherFrame frame, std::vector<base::Fd> fds = {});
  void FlushToServer();
  void ServerGone(const std::string& why);

  boost::asio::io_context& context_;
  LauncherOptions options_;
  LauncherHooks hooks_;
  Homes homes_;
  boost::asio::posix::stream_descriptor server_;
  const base::Fd sharing_setting_;
  uint32_t server_restarts_ = 0;
  bool flushing_ = false;
  std::deque<Outgoing> outgoing_;
  size_t outgoing_size_ = 0;
  // Of a reload that is prepared, and its revision. What it is made of is the program's.
  std::optional<std::pair<uint64_t, Policy>> prepared_;
  bool renew_ = false;                                 // the views, before the next start
  uint64_t policy_number_ = 0;                         // shims that were forked under another get no more jobs
  std::map<JobKey, std::shared_ptr<LiveShim>> shims_;  // of every live job
  JobCount count_;                                     // of those that the server knows
  LineLimit denials_{20};
  LineLimit excesses_{1};
  LineLimit unsent_{1};
  ShimPool pool_;
  Sweeper sweeper_;
  std::map<JobKey, Asked> searching_;
  boost::asio::steady_timer search_timer_;
  bool search_due_ = false;
  bool search_failed_ = false;  // and that was reported
  bool reconciling_ = false;    // what nobody knows is still to be listed
  // The views would keep the disk busy of what has been unmounted, until the next start.
  MountWatch mounts_;
};

}  // namespace jobd::launch
