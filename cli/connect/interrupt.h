// What Ctrl-C means in `run`, step by step.
#pragma once

#include <optional>

#include "base/clock.h"

namespace jobd::cli {

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

}  // namespace jobd::cli
