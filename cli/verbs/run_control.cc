#include "cli/verbs/run_control.h"

#include <unistd.h>

#include <csignal>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/view/exit_code.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {
namespace {

// timeout(1) sends its signal to the process and then to its group: so close together it is one.
constexpr base::Nanos kSameSignal = 200 * base::kNanosPerMilli;

}  // namespace

RunControl::RunControl(Session& session, std::string correlation_id) : session_(session), id_(std::move(correlation_id)) {}

RunControl::~RunControl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RunControl::Start() {
  thread_ = std::thread([this] { Run(); });
}

void RunControl::OnSignal(int signal) {
  const std::lock_guard lock(mutex_);
  const base::Nanos now = clock_.Monotonic();
  auto action = InterruptSteps::Action::kCancel;
  if (signal == SIGHUP) Leave(kExitSignalBase + SIGHUP);
  if (signal == SIGINT) {
    interrupted_ = true;
    action = steps_.Next(now);
  } else if (signal == SIGTERM) {
    if (terminated_at_ != 0 && now - terminated_at_ < kSameSignal) return;
    if (terminated_at_ != 0) Leave(kExitSignalBase + SIGTERM);
    terminated_at_ = now;
    steps_.Cancelled();
  } else {
    action = InterruptSteps::Action::kForward;
  }
  if (action == InterruptSteps::Action::kLeave) Leave(kExitInterrupted);
  if (client_ == nullptr) {
    if (pending_) Leave(kExitInterrupted);
    pending_ = true;
    session_.Say("not accepted yet; the job will be cancelled when it is. Press Ctrl-C again to leave");
    return;
  }
  if (session_.err().is_terminal() && signal == SIGINT) session_.err().Write("\n");  // behind the terminal's "^C"
  if (action == InterruptSteps::Action::kCancel) {
    session_.Say("cancelling the job; press Ctrl-C again to leave at once");
    return Enqueue([this](Client& client) { Cancel(client); });
  }
  if (signal == SIGINT) {
    session_.Say("sent SIGINT to the job; press Ctrl-C again within a second to end it and all its processes");
  }
  Enqueue([this, signal](Client& client) {
    if (auto status = Send(client, signal); !status.ok()) session_.Say("signalling: " + status.error().message());
  });
}

void RunControl::Accepted(Client* client) {
  const std::lock_guard lock(mutex_);
  client_ = client;
  if (!pending_) return;
  steps_.Cancelled();
  Enqueue([this](Client& to) { Cancel(to); });
}

void RunControl::BrokenPipe() {
  const std::lock_guard lock(mutex_);
  Enqueue([this](Client& client) { (void)Send(client, SIGPIPE); });  // that it has ended already is as good
}

bool RunControl::interrupted() const {
  const std::lock_guard lock(mutex_);
  return interrupted_;
}

void RunControl::Leave(int exit_code) {
  if (client_ != nullptr) session_.Say("left; the job goes on: jobctl logs -f " + id_);
  ::_exit(exit_code);  // other threads are in calls that may never return
}

void RunControl::Enqueue(std::function<void(Client&)> call) {
  calls_.push_back(std::move(call));
  wake_.notify_one();
}

void RunControl::Run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
    if (stopping_) return;
    const auto call = std::move(calls_.front());
    calls_.pop_front();
    Client& client = *client_;
    lock.unlock();
    call(client);
  }
}

void RunControl::Cancel(Client& client) {
  v1::CancelRequest request;
  request.mutable_jobs()->set_correlation_id(id_);
  request.set_reason("interrupted");
  v1::CancelResponse response;
  const auto status = client.Cancel(request, &response);
  if (status.ok()) return;
  session_.Say("cancelling: " + status.error().message());
  const base::Code code = status.error().code();
  if (code != base::Code::kUnavailable && code != base::Code::kDeadlineExceeded)
    return;  // the end of the stream tells what became of it
  session_.Say("could not cancel the job; when jobd is back: jobctl cancel " + id_);
  ::_exit(kExitFailed);
}

base::Status RunControl::Send(Client& client, int signal) const {
  v1::SignalRequest request;
  request.mutable_jobs()->set_correlation_id(id_);
  request.set_signal(signal);
  v1::SignalResponse response;
  return client.Signal(request, &response);
}

}  // namespace jobd::cli
