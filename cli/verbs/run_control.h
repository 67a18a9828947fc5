// What signals to `jobctl run` do to its job.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::cli {

class Client;
class Session;

// The first sends SIGINT to the job; a second within a second cancels it (TERM, then KILL of the whole tree); one more leaves at
// once. A second that comes later is a first again: programs that take Ctrl-C as a command get it.
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
  // The job was cancelled otherwise.
  void Cancelled() { cancelled_ = true; }

 private:
  std::optional<base::Nanos> last_;
  bool cancelled_ = false;
};

// SIGINT goes through InterruptSteps, SIGQUIT is passed on, SIGTERM cancels the job, SIGHUP leaves it alone: the terminal is gone.
// Where cancelling fails because jobd cannot be reached, jobctl leaves with 125: whoever ended it must not wait for jobd's return.
// Calls are made on a thread of its own, so that a signal is never kept waiting by a call. Thread-safe.
class RunControl {
 public:
  // `session` is borrowed.
  RunControl(Session& session, std::string correlation_id);
  // Waits for calls that are being made.
  ~RunControl();
  // Begins the thread; after the mask of signals is set, which it inherits.
  void Start();

  void OnSignal(int signal);
  // From here on there is a job to act on.
  void Accepted(Client* client);
  // As at home: who writes to a pipe that nobody reads gets SIGPIPE.
  void BrokenPipe();
  // Ctrl-C was pressed.
  bool interrupted() const;

 private:
  [[noreturn]] void Leave(int exit_code);
  void Enqueue(std::function<void(Client&)> call);
  void Run();
  void Cancel(Client& client);
  base::Status Send(Client& client, int signal) const;

  Session& session_;
  const std::string id_;
  const base::SystemClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void(Client&)>> calls_;  // guarded by mutex_, as is the rest
  InterruptSteps steps_;
  Client* client_ = nullptr;
  bool interrupted_ = false;
  bool pending_ = false;
  bool stopping_ = false;
  base::Nanos terminated_at_ = 0;
  std::thread thread_;
};

}  // namespace jobd::cli
