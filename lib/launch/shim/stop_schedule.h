// When a job is to be told to end, and when it is made to: pure, so that every order of events can be tested.
#pragma once

#include <optional>

#include "base/clock.h"
#include "launch/contract/exit_file.h"

namespace jobd::launch {

// Times are monotonic. The first reason to stop is the one that is told; later ones can only bring the end nearer.
class StopSchedule {
 public:
  enum class Action { kNone, kTerminate, kKill };

  // The job was executed. timeout 0: none; kill_after: from TERM to KILL at a timeout.
  void Started(base::Nanos now, base::Nanos timeout, base::Nanos kill_after);
  // Cancelled: TERM is due now, KILL after grace. Again: KILL at the earlier of the two.
  void Cancel(base::Nanos now, base::Nanos grace);

  // What is due at `now`; each action comes once.
  Action Due(base::Nanos now);
  // What was due could not be done: it is due again soon. `passes`: for want of something that comes back. Else TERM, which some
  // may have got, is due a few times more; KILL always is.
  void Retry(Action failed, base::Nanos now, bool passes = true);
  // When to ask again; nothing: never by itself.
  std::optional<base::Nanos> Next() const;
  // Why the job is being ended; kSelf when it is not.
  EndCause cause() const { return cause_; }

 private:
  std::optional<base::Nanos> terminate_at_;
  std::optional<base::Nanos> kill_at_;
  base::Nanos kill_after_ = 0;
  bool terminated_ = false;
  int refused_ = 0;  // how often TERM was
  EndCause cause_ = EndCause::kSelf;
};

}  // namespace jobd::launch
