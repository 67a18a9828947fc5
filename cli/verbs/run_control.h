// The effects that signals to `jobctl run` have on its job.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

class Client;
class Session;

// The steps of Ctrl-C. The first sends SIGINT to the job; a second within a second cancels the job (TERM, then KILL to all its
// processes); one more leaves at once. A second that comes later counts as a first: programs that take Ctrl-C as a command get it.
class InterruptSteps {
 public:
  enum class Action { kForward, kCancel, kLeave };

  Action Next(base::Nanos now) {
    if (cancelled_) return Action::kLeave;
    const bool again = last_ && now - *last_ <= base::kNanosPerSecond;
    last_ = now;
    cancelled_ = again;
    return again ? Action::kCancel : Action::kForward;
  }
  // The job was cancelled by something else than Ctrl-C.
  void Cancelled() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

 private:
  std::optional<base::Nanos> last_;
  bool cancelled_ = false;
};

// SIGINT goes through InterruptSteps, and so to a job that runs; one that has not started yet is cancelled instead, for a signal
// would be lost on it. SIGQUIT likewise, without steps, SIGTERM cancels the job, SIGHUP leaves the job alone: the terminal is gone.
// When jobd cannot be reached to cancel, jobctl leaves with 125 instead of waiting for its return. RPCs are made on a thread of
// this object, so that no signal waits for one. Thread-safe.
class RunControl {
 public:
  // `session` is borrowed.
  RunControl(Session& session, std::string correlation_id);
  // Waits for calls that are being made.
  ~RunControl();
  // Begins the thread. Call it when the mask of signals is set, since the thread inherits that.
  void Start();

  void OnSignal(int signal);
  // From here on there is a job to act on. `client` is borrowed.
  void Accepted(Client* client);
  // Sends SIGPIPE to the job, as a program gets it at home that writes to a pipe without a reader.
  void BrokenPipe();
  // Ctrl-C was pressed.
  bool interrupted() const;

 private:
  using Call = std::function<void(Client&)>;
  struct State {
    std::deque<Call> calls;
    InterruptSteps steps;
    Client* client = nullptr;  // nullptr until jobd has accepted the job
    bool interrupted = false;
    bool cancel_when_accepted = false;
    bool stopping = false;
    base::Nanos terminated_at = 0;  // the last SIGTERM; 0: none
  };

  [[noreturn]] void Leave(const State& state, int exit_code);
  void Enqueue(State& state, Call call);
  void Run();
  void Cancel(Client& client);
  // Sends a signal that asks the job to end; a job that has not started is cancelled.
  void Interrupt(Client& client, int signal);
  // How many jobs got it.
  base::Result<uint32_t> Send(Client& client, int signal) const;
  base::Result<v1::JobState> StateOfJob(Client& client) const;

  Session& session_;
  const std::string id_;
  const base::SystemClock clock_;
  base::Guarded<State> state_;
  std::condition_variable wake_;  // a call was added, or stopping
  std::thread thread_;
};

}  // namespace jobd::cli
