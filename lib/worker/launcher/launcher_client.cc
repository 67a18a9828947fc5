#include "worker/launcher/launcher_client.h"

#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/thread_name.h"
#include "launch/contract/frames.h"

namespace jobd::worker {
namespace {

base::Error Gone() { return base::Error(base::Code::kUnavailable, "the launcher is gone"); }
base::Error OtherDescriptors() { return {base::Code::kInternal, "the launcher sent other descriptors than it named"}; }

class SocketLauncher final : public LauncherClient {
 public:
  SocketLauncher(base::Fd socket, std::function<void(base::Error)> on_lost)
      : socket_(std::move(socket)), on_lost_(std::move(on_lost)), thread_([this] { Run(); }) {}

  ~SocketLauncher() override {
    closing_.store(true);
    ::shutdown(socket_.get(), SHUT_RD);  // ends the read
    thread_.join();
  }

  void SetEvents(OldLauncherEvents* events) override {
    const std::lock_guard lock(events_mutex_);
    events_ = events;
  }

  base::Status Launch(const launch::LaunchRequest& request) override { return Send(launch::Launch{request}); }
  base::Status Watch(launch::JobKey key, const std::string& owner, const std::string& correlation_id) override {
    return Send(launch::Watch{.key = key, .owner = owner, .correlation_id = correlation_id});
  }
  base::Status Cancel(launch::JobKey key, base::Nanos grace) override {
    return Send(launch::CancelJob{.key = key, .grace = grace});
  }
  base::Status Signal(launch::JobKey key, int signal) override { return Send(launch::SignalJob{.key = key, .signal = signal}); }
  base::Status Sweep(launch::JobKey key) override { return Send(launch::Sweep{.key = key}); }
  base::Status Reconciled() override { return Send(launch::Reconciled{}); }
  base::Status Alive() override { return Send(launch::Alive{}); }
  base::Status Ready(const std::string& address) override { return Send(launch::Ready{.address = address}); }

  base::Result<Welcome> Hello() override {
    const std::lock_guard one(asking_);
    JOBD_RETURN_IF_ERROR(Send(launch::Hello{}));
    std::unique_lock lock(answers_mutex_);
    answered_.wait(lock, [this] { return hello_ || lost_; });
    if (!hello_) return Gone();
    auto received = std::move(*hello_);
    hello_.reset();
    if (received.frame.version != launch::kProtocolVersion) {
      return base::Error(base::Code::kFailedPrecondition, "jobd and jobd-server are of different versions");
    }
    return WelcomeOf(std::move(received));
  }

  base::Result<GivenFiles> ReadFiles() override {
    const std::lock_guard one(asking_);
    JOBD_RETURN_IF_ERROR(Send(launch::ReadFiles{}));
    std::unique_lock lock(answers_mutex_);
    answered_.wait(lock, [this] { return files_ || lost_; });
    if (!files_) return Gone();
    auto received = std::move(*files_);
    files_.reset();
    if (!received.frame.error.empty()) return base::Error(base::Code::kFailedPrecondition, received.frame.error);
    if (received.frame.names.size() != received.fds.size()) return OtherDescriptors();
    GivenFiles given{.files = {}, .capabilities = std::move(received.frame.capabilities)};
    for (size_t i = 0; i < received.fds.size(); ++i) {
      given.files.push_back({.name = received.frame.names[i], .fd = std::move(received.fds[i])});
    }
    return given;
  }

 private:
  static base::Result<Welcome> WelcomeOf(launch::Received<launch::HelloAck> received) {
    const std::vector<std::string>& names = received.frame.descriptors;
    if (names.size() != received.fds.size()) return OtherDescriptors();
    Welcome welcome;
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == "state") welcome.state_dir = std::move(received.fds[i]);
      if (names[i] == "log") welcome.log_dir = std::move(received.fds[i]);
      if (names[i] == "runtime") welcome.runtime_dir = std::move(received.fds[i]);
      if (names[i] == "listen") welcome.listening.push_back(std::move(received.fds[i]));
    }
    if (!welcome.state_dir || !welcome.log_dir || !welcome.runtime_dir || welcome.listening.empty()) return OtherDescriptors();
    welcome.ack = std::move(received.frame);
    return welcome;
  }

  base::Status Send(const launch::ServerFrame& frame) {
    const std::lock_guard lock(send_mutex_);
    return launch::SendFrame(socket_.get(), frame);
  }

  void Run() {
    base::NameThisThread("launcher");
    for (;;) {
      auto received = launch::ReceiveLauncherFrame(socket_.get(), true);
      if (!received.ok()) {
        {
          const std::lock_guard lock(answers_mutex_);
          lost_ = true;
        }
        answered_.notify_all();
        if (!closing_.load()) on_lost_(std::move(received).error());
        return;
      }
      Deliver(std::move(*received));
    }
  }

  void Deliver(launch::Received<launch::LauncherFrame> received) {
    if (auto* ack = std::get_if<launch::HelloAck>(&received.frame)) {
      const std::lock_guard lock(answers_mutex_);
      hello_ = {.frame = std::move(*ack), .fds = std::move(received.fds)};
      answered_.notify_all();
      return;
    }
    if (auto* files = std::get_if<launch::Files>(&received.frame)) {
      const std::lock_guard lock(answers_mutex_);
      files_ = {.frame = std::move(*files), .fds = std::move(received.fds)};
      answered_.notify_all();
      return;
    }
    // The lock is held during the call, so that SetEvents returns only when the old receiver is not being called.
    const std::lock_guard lock(events_mutex_);
    const bool ping = std::holds_alternative<launch::Ping>(received.frame);
    if (events_ == nullptr) {
      // Still starting, which takes as long as the database is large.
      if (ping) (void)Alive();
      return;
    }
    if (ping) events_->OnPing();
    if (auto* refused = std::get_if<launch::Refused>(&received.frame)) events_->OnRefused(std::move(*refused));
    if (const auto* exited = std::get_if<launch::ShimExited>(&received.frame)) events_->OnShimExited(exited->key);
    if (const auto* swept = std::get_if<launch::Swept>(&received.frame)) events_->OnSwept(swept->key);
  }

  const base::Fd socket_;
  const std::function<void(base::Error)> on_lost_;
  std::atomic<bool> closing_{false};
  std::mutex send_mutex_;
  std::mutex asking_;
  std::mutex events_mutex_;
  OldLauncherEvents* events_ = nullptr;  // guarded by events_mutex_
  std::mutex answers_mutex_;
  std::condition_variable answered_;
  std::optional<launch::Received<launch::HelloAck>> hello_;  // guarded by answers_mutex_, as are these
  std::optional<launch::Received<launch::Files>> files_;
  bool lost_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<LauncherClient> LauncherClient::Create(base::Fd socket, std::function<void(base::Error)> on_lost) {
  return std::make_unique<SocketLauncher>(std::move(socket), std::move(on_lost));
}

}  // namespace jobd::worker
