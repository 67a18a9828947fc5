// The launcher towards its server: frames in, frames out.
#include "launch/launcher/launcher.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "launch/contract/exit_file.h"
#include "launch/contract/start_fault.h"
#include "launch/launcher/capability_report.h"
#include "launch/process/clone.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

// Frames taken before other events get their turn.
constexpr int kFramesPerTurn = 64;
// A server that leaves more bytes than this unread has stopped reading: its reading thread does nothing else.
constexpr size_t kMaxOutgoing = 8u << 20;
constexpr size_t kDescriptorWeight = 64u << 10;  // bytes: descriptors are scarcer

std::vector<int> IgnoredSignals() {
  std::vector<int> ignored;
  for (int signal = 1; signal < _NSIG; ++signal) {
    // Raw: glibc hides its own two (32 and 33) from sigaction(3). The kernel's struct begins with the handler.
    unsigned long now[4] = {};
    const bool known = ::syscall(SYS_rt_sigaction, signal, nullptr, now, sizeof(unsigned long)) == 0;
    if (known && now[0] == reinterpret_cast<unsigned long>(SIG_IGN)) ignored.push_back(signal);
  }
  return ignored;
}

std::vector<HelloAck::Capability> DescribeMachine(const LauncherOptions& options) {
  std::vector<HelloAck::Capability> all;
  for (const sandbox::Capability& c : options.shim.driver->capabilities()) all.push_back({c.name, c.available, c.detail});
  for (const sandbox::Capability& c : options.shim.isolation->capabilities()) all.push_back({c.name, c.available, c.detail});
  all.push_back({"user switch", options.policy.privileged,
                 options.policy.privileged ? "jobs run under accounts of their own"
                                           : "jobd is not root: jobs run as " + options.policy.own_account});
  return all;
}

}  // namespace

Launcher::Launcher(asio::io_context& context, LauncherOptions options, LauncherHooks hooks)
    : context_(context),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      homes_(options_.home_places),
      server_(context),
      sharing_setting_(OpenSharingSetting()),
      count_(options_.policy),
      pool_(context, options_.shim_turn),
      sweeper_(context, *options_.shim.driver, hooks_.report),
      search_timer_(context),
      mounts_(context, [this] { (void)RenewViews(); }) {  // who starts a job is told what does not work
  options_.shim.boot = BootTag();
  options_.shim.ignored_signals = IgnoredSignals();
  options_.shim.sharing_setting = sharing_setting_.get();
  options_.shim.command_line = FindCommandLine();
  // Fills the tables of the checksum here, so that no shim has to.
  (void)EncodeSlot({});
}

Launcher::~Launcher() = default;

void Launcher::SetPolicy(Policy policy) {
  options_.policy = std::move(policy);
  count_.SetPolicy(options_.policy, std::chrono::steady_clock::now());
  options_.shim.default_workdir = options_.policy.default_workdir;
  ++policy_number_;
  pool_.DismissAll();
  renew_ = true;  // a file that jobs must not see may be another now
}

base::Status Launcher::RenewViews() {
  // Asked first: what it says, it says once.
  if (!options_.shim.isolation->Stale() && !renew_) return base::Ok();
  auto renewed = options_.shim.isolation->Renew();
  renew_ = !renewed.ok();
  ++policy_number_;
  pool_.DismissAll();
  return renewed;
}

std::string Launcher::GroupOf(JobKey key) { return sandbox::GroupName(key.batch, key.index, key.attempt); }

bool Launcher::IsPassing(int error) { return StartMayPass(Step::kLock, error); }

void Launcher::Serve(base::Fd socket, uint32_t server_restarts) {
  server_restarts_ = server_restarts;
  outgoing_.clear();
  outgoing_size_ = 0;
  if (!Watchable(server_, std::move(socket))) return hooks_.on_server_gone("its connection cannot be watched");
  AwaitFrames();
}

void Launcher::AwaitFrames() {
  server_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (!error) OnFrames();
  });
}

void Launcher::OnFrames() {
  for (int i = 0; i < kFramesPerTurn; ++i) {
    auto received = ReceiveServerFrame(server_.native_handle(), false);
    if (!received.ok()) {
      switch (received.error().code()) {
        case base::Code::kAborted: AwaitFrames(); return;
        case base::Code::kUnavailable: ServerGone(""); return;
        default: ServerGone(received.error().message()); return;
      }
    }
    std::visit([this](auto& frame) { Handle(frame); }, received->frame);
    if (!server_.is_open()) return;
  }
  AwaitFrames();
}

void Launcher::Disconnect() {
  if (server_.is_open()) server_.close();
  DropPrepared();
  outgoing_.clear();
  outgoing_size_ = 0;
  flushing_ = false;
}

void Launcher::ServerGone(const std::string& why) {
  Disconnect();
  hooks_.on_server_gone(why);
}

void Launcher::SendToServer(LauncherFrame frame, std::vector<base::Fd> fds) {
  if (!server_.is_open()) return;  // the next server finds out by reading the store and the exit files
  const size_t size = flushing_ ? sizeof(Outgoing) + EncodeFrame(frame).size() + fds.size() * kDescriptorWeight : 0;
  outgoing_.push_back({std::move(frame), std::move(fds), size});
  outgoing_size_ += size;
  if (outgoing_size_ > kMaxOutgoing) return ServerGone("it does not read what it is sent");
  if (!flushing_) FlushToServer();
}

void Launcher::FlushToServer() {
  flushing_ = false;
  while (!outgoing_.empty()) {
    const Outgoing& next = outgoing_.front();
    std::vector<int> fds;
    if (std::holds_alternative<HelloAck>(next.frame)) fds = options_.hello_fds;
    for (const base::Fd& fd : next.fds) fds.push_back(fd.get());
    const auto status = TrySendFrame(server_.native_handle(), next.frame, fds);
    if (!status.ok() && status.error().code() == base::Code::kAborted) {
      flushing_ = true;
      server_.async_wait(asio::posix::stream_descriptor::wait_write, [this](const boost::system::error_code& error) {
        if (!error) FlushToServer();
      });
      return;
    }
    if (!status.ok()) {
      // A server that is gone is noticed when its socket is read. After any other error it would wait for a frame that does not
      // come.
      outgoing_.clear();
      outgoing_size_ = 0;
      if (status.error().code() != base::Code::kUnavailable) hooks_.on_server_gone(status.error().message());
      return;
    }
    outgoing_size_ -= outgoing_.front().size;
    outgoing_.pop_front();
  }
}

void Launcher::Handle(const Hello& /*frame*/) {
  HelloAck ack = options_.hello_ack;
  ack.server_restarts = server_restarts_;
  ack.capabilities = DescribeMachine(options_);
  SendToServer(std::move(ack));
}

void Launcher::Handle(const Ready& frame) { hooks_.on_ready(frame.address); }

void Launcher::Handle(const Alive& /*frame*/) {
  if (hooks_.on_alive) hooks_.on_alive();
}

void Launcher::Handle(const ReadFiles& /*frame*/) {
  std::vector<base::Fd> fds;
  Files files = hooks_.read_files(fds);
  files.capabilities = CapabilitiesOf(options_.shim, options_.policy);
  SendToServer(std::move(files), std::move(fds));
}

PreparedFiles Launcher::Prepare() {
  DropPrepared();
  if (!hooks_.prepare_files) return {.files = {.names = {}, .error = "there are no files to read again"}, .fds = {}, .policy = {}};
  PreparedFiles prepared = hooks_.prepare_files();
  if (prepared.files.error.empty()) {
    prepared.files.capabilities = CapabilitiesOf(options_.shim, prepared.policy);
    prepared_.emplace(prepared.files.revision, std::move(prepared.policy));
  }
  return prepared;
}

void Launcher::Commit() {
  hooks_.commit_files();
  SetPolicy(std::move(prepared_->second));
  prepared_.reset();
}

void Launcher::DropPrepared() {
  if (!prepared_) return;
  prepared_.reset();
  hooks_.drop_files();
}

base::Status Launcher::Reload() {
  const PreparedFiles prepared = Prepare();
  if (!prepared.files.error.empty()) return base::Error(base::Code::kFailedPrecondition, prepared.files.error);
  Commit();
  return base::Ok();
}

void Launcher::Handle(const PrepareReload& /*frame*/) {
  PreparedFiles prepared = Prepare();
  SendToServer(std::move(prepared.files), std::move(prepared.fds));
}

void Launcher::Handle(const CommitReload& frame) {
  const bool known = prepared_ && prepared_->first == frame.revision;
  if (known) Commit();
  SendToServer(Reloaded{.revision = frame.revision, .done = known});
}

void Launcher::Handle(const AbortReload& frame) {
  if (prepared_ && prepared_->first == frame.revision) DropPrepared();
}

void Launcher::Refuse(JobKey key, const base::Error& error, bool retry, bool policy) {
  SendToServer(Refused{.key = key, .retry = retry, .policy = policy, .text = error.message()});
}

void Launcher::TellDenied(const LaunchRequest& request, const std::string& why) {
  if (!hooks_.on_denied) return;
  if (const auto text = denials_.Pass(why, std::chrono::steady_clock::now())) hooks_.on_denied(request, *text);
}

}  // namespace jobd::launch
