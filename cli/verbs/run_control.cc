#include "cli/verbs/run_control.h"

#include <unistd.h>

#include <csignal>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/view/exit_code.h"
#include "cli/view/states.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {
namespace {

// timeout(1) sends its signal to the process and then to the group of it: two so close together count as one.
constexpr base::Nanos kSameSignal = 200 * base::kNanosPerMilli;

}  // namespace

RunControl::RunControl(Session& session, std::string correlation_id) : session_(session), id_(std::move(correlation_id)) {}

RunControl::~RunControl() {
  state_.Lock()->stopping = true;
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RunControl::Start() {
  thread_ = std::thread([this] { Run(); });
}

void RunControl::OnSignal(int signal) {
  const auto state = state_.Lock();
  const base::Nanos now = clock_.Monotonic();
  auto action = InterruptSteps::Action::kCancel;
  if (signal == SIGHUP) Leave(*state, kExitSignalBase + SIGHUP);
  if (signal == SIGINT) {
    state->interrupted = true;
    action = state->steps.Next(now);
  } else if (signal == SIGTERM) {
    if (state->terminated_at != 0 && now - state->terminated_at < kSameSignal) return;
    if (state->terminated_at != 0) Leave(*state, kExitSignalBase + SIGTERM);
    state->terminated_at = now;
    state->steps.Cancelled();
  } else {
    action = InterruptSteps::Action::kForward;
  }
  if (session_.err().is_terminal() && signal == SIGINT) session_.err().Write("\n");  // behind the terminal's "^C"
  if (action == InterruptSteps::Action::kLeave) Leave(*state, kExitInterrupted);
  if (state->client == nullptr) {
    if (state->cancel_when_accepted) Leave(*state, kExitInterrupted);
    state->cancel_when_accepted = true;
    session_.Say("jobd has not accepted the job yet; it will be cancelled then. Press Ctrl-C again to leave");
    return;
  }
  if (action == InterruptSteps::Action::kCancel) {
    session_.Say("cancelling the job; press Ctrl-C again to leave at once");
    return Enqueue(*state, [this](Client& client) { Cancel(client); });
  }
  Enqueue(*state, [this, signal](Client& client) { Interrupt(client, signal); });
}

void RunControl::Accepted(Client* client) {
  const auto state = state_.Lock();
  state->client = client;
  if (!state->cancel_when_accepted) return;
  state->steps.Cancelled();
  Enqueue(*state, [this](Client& to) { Cancel(to); });
}

void RunControl::BrokenPipe() {
  const auto state = state_.Lock();
  Enqueue(*state, [this](Client& client) { (void)Send(client, SIGPIPE); });  // an error means that the job has ended: as good
}

bool RunControl::interrupted() const { return state_.Lock()->interrupted; }

void RunControl::Leave(const State& state, int exit_code) {
  if (state.client != nullptr) {
    session_.Say(state.steps.cancelled() ? "left; the job is being cancelled: jobctl status " + id_
                                         : "left; the job goes on: jobctl logs -f " + id_);
  }
  ::_exit(exit_code);  // other threads are in calls that may never return
}

void RunControl::Enqueue(State& state, Call call) {
  state.calls.push_back(std::move(call));
  wake_.notify_one();
}

void RunControl::Run() {
  while (true) {
    Call call;
    Client* client = nullptr;
    {
      auto state = state_.Lock();
      state.Wait(wake_, [&state] { return state->stopping || !state->calls.empty(); });
      if (state->stopping) return;
      call = std::move(state->calls.front());
      state->calls.pop_front();
      client = state->client;
    }
    call(*client);
  }
}

void RunControl::Cancel(Client& client) {
  v1::CancelRequest request;
  request.mutable_jobs()->set_correlation_id(id_);
  request.set_reason("interrupted");
  v1::CancelResponse response;
  const auto status = client.Cancel(request, &response);
  if (status.ok()) return;
  session_.Say("cancelling the job: " + status.error().message());
  const base::Code code = status.error().code();
  if (code != base::Code::kUnavailable && code != base::Code::kDeadlineExceeded)
    return;  // the end of the stream tells how the job ended
  session_.Say("could not cancel the job; when jobd is back: jobctl cancel " + id_);
  ::_exit(kExitFailed);
}

void RunControl::Interrupt(Client& client, int signal) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto signalled = Send(client, signal);
    if (!signalled.ok()) return session_.Say("signalling the job: " + signalled.error().message());
    if (*signalled > 0) {
      if (signal != SIGINT) return;
      return session_.Say("sent SIGINT to the job; press Ctrl-C again within a second to end it and all its processes");
    }
    const auto job = StateOfJob(client);
    if (!job.ok()) return session_.Say("signalling the job: " + job.error().message());
    if (IsFinal(*job)) return;
    if (*job < v1::JOB_STATE_RUNNING) break;
    // It started meanwhile: once more.
  }
  state_.Lock()->steps.Cancelled();
  session_.Say("the job has not started yet; cancelling it");
  Cancel(client);
}

base::Result<uint32_t> RunControl::Send(Client& client, int signal) const {
  v1::SignalRequest request;
  request.mutable_jobs()->set_correlation_id(id_);
  request.set_signal(signal);
  v1::SignalResponse response;
  JOBD_RETURN_IF_ERROR(client.Signal(request, &response));
  return response.signalled();
}

base::Result<v1::JobState> RunControl::StateOfJob(Client& client) const {
  v1::GetBatchRequest request;
  request.set_correlation_id(id_);
  request.set_index(1);
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
  if (response.jobs().empty()) return base::Error(base::Code::kNotFound, "there is no such job");
  return response.jobs(0).result().state();
}

}  // namespace jobd::cli
