#include "worker/launcher/local/jobd_connection.h"

#include <sys/socket.h>

#include <utility>
#include <variant>

#include "base/thread_name.h"

namespace jobd::worker {
namespace {

base::Error Gone() { return base::Error(base::Code::kUnavailable, "jobd is gone"); }
base::Error OtherDescriptors() { return {base::Code::kInternal, "jobd sent other descriptors than it named"}; }

base::Result<JobdConnection::Welcome> WelcomeOf(launch::Received<launch::HelloAck> received) {
  const std::vector<std::string>& names = received.frame.descriptors;
  if (names.size() != received.fds.size()) return OtherDescriptors();
  JobdConnection::Welcome welcome;
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

}  // namespace

JobdConnection::JobdConnection(base::Fd socket, std::function<void(base::Error)> on_lost)
    : socket_(std::move(socket)), on_lost_(std::move(on_lost)), thread_([this] { Run(); }) {}

JobdConnection::~JobdConnection() {
  closing_.store(true);
  ::shutdown(socket_.get(), SHUT_RD);  // ends the read
  thread_.join();
}

void JobdConnection::SetReceiver(FrameReceiver* receiver) { *receiver_.Lock() = receiver; }

base::Status JobdConnection::Send(const launch::ServerFrame& frame) {
  const std::lock_guard lock(sending_);
  return launch::SendFrame(socket_.get(), frame);
}

template <typename Frame>
base::Result<launch::Received<Frame>> JobdConnection::Ask(const launch::ServerFrame& question,
                                                          std::optional<launch::Received<Frame>> Answers::*answer) {
  const std::lock_guard one(asking_);
  JOBD_RETURN_IF_ERROR(Send(question));
  auto answers = answers_.Lock();
  answers.Wait(answered_, [&] { return (*answers).*answer || answers->lost; });
  if (!((*answers).*answer)) return Gone();
  return std::move(*std::exchange((*answers).*answer, std::nullopt));
}

base::Result<JobdConnection::Welcome> JobdConnection::Hello() {
  JOBD_ASSIGN_OR_RETURN(auto received, Ask(launch::Hello{}, &Answers::hello));
  if (received.frame.version != launch::kProtocolVersion) {
    return base::Error(base::Code::kFailedPrecondition, "jobd and jobd-server are of different versions");
  }
  return WelcomeOf(std::move(received));
}

base::Result<JobdConnection::GivenFiles> JobdConnection::ReadFiles() { return AskForFiles(launch::ReadFiles{}); }

base::Result<JobdConnection::GivenFiles> JobdConnection::PrepareReload() { return AskForFiles(launch::PrepareReload{}); }

base::Status JobdConnection::CommitReload(uint64_t revision) {
  JOBD_ASSIGN_OR_RETURN(const auto received, Ask(launch::CommitReload{revision}, &Answers::reloaded));
  if (received.frame.done && received.frame.revision == revision) return base::Ok();
  return base::Error(base::Code::kAborted, "another reload came in between");
}

base::Status JobdConnection::AbortReload(uint64_t revision) { return Send(launch::AbortReload{revision}); }

base::Result<JobdConnection::GivenFiles> JobdConnection::AskForFiles(const launch::ServerFrame& question) {
  JOBD_ASSIGN_OR_RETURN(auto received, Ask(question, &Answers::files));
  if (!received.frame.error.empty()) return base::Error(base::Code::kFailedPrecondition, received.frame.error);
  if (received.frame.names.size() != received.fds.size()) return OtherDescriptors();
  GivenFiles given{.files = {}, .capabilities = std::move(received.frame.capabilities), .revision = received.frame.revision};
  for (size_t i = 0; i < received.fds.size(); ++i) {
    given.files.push_back({.name = received.frame.names[i], .fd = std::move(received.fds[i])});
  }
  return given;
}

base::Status JobdConnection::Ready(const std::string& address) { return Send(launch::Ready{.address = address}); }

void JobdConnection::Run() {
  base::NameThisThread("launcher");
  for (;;) {
    auto received = launch::ReceiveLauncherFrame(socket_.get(), true);
    if (!received.ok()) {
      answers_.Lock()->lost = true;
      answered_.notify_all();
      if (!closing_.load()) on_lost_(std::move(received).error());
      return;
    }
    Deliver(std::move(*received));
  }
}

void JobdConnection::Deliver(launch::Received<launch::LauncherFrame> received) {
  if (auto* ack = std::get_if<launch::HelloAck>(&received.frame)) {
    answers_.Lock()->hello = {.frame = std::move(*ack), .fds = std::move(received.fds)};
    answered_.notify_all();
    return;
  }
  if (auto* files = std::get_if<launch::Files>(&received.frame)) {
    answers_.Lock()->files = {.frame = std::move(*files), .fds = std::move(received.fds)};
    answered_.notify_all();
    return;
  }
  if (const auto* const reloaded = std::get_if<launch::Reloaded>(&received.frame)) {
    answers_.Lock()->reloaded = {.frame = *reloaded, .fds = {}};
    answered_.notify_all();
    return;
  }
  // The lock is held during the call, so that SetReceiver can promise what it does.
  const auto receiver = receiver_.Lock();
  if (*receiver != nullptr) return (*receiver)->OnFrame(std::move(received.frame));
  // The service is still starting, which takes as long as its database is large.
  if (std::holds_alternative<launch::Ping>(received.frame)) (void)Send(launch::Alive{});
}

}  // namespace jobd::worker
