#include "launch/shim/stop_schedule.h"

#include <algorithm>
#include <limits>

namespace jobd::launch {

namespace {

constexpr base::Nanos kRetryAfter = 100 * base::kNanosPerMilli;
constexpr int kMostRefusals = 3;

// Delays are bounded by what a request may say, but not by us: the sum must not overflow.
base::Nanos After(base::Nanos now, base::Nanos delay) {
  return delay > std::numeric_limits<base::Nanos>::max() - now ? std::numeric_limits<base::Nanos>::max()
                                                               : now + std::max<base::Nanos>(delay, 0);
}

}  // namespace

void StopSchedule::Started(base::Nanos now, base::Nanos timeout, base::Nanos kill_after) {
  kill_after_ = kill_after;
  if (timeout > 0 && cause_ == EndCause::kSelf) terminate_at_ = After(now, timeout);
}

void StopSchedule::Cancel(base::Nanos now, base::Nanos grace) {
  const base::Nanos kill_at = After(now, grace);
  if (cause_ == EndCause::kSelf) {
    cause_ = EndCause::kCancel;
    terminate_at_ = now;
    kill_at_ = kill_at;
  } else {
    kill_at_ = std::min(kill_at_.value_or(kill_at), kill_at);
  }
}

StopSchedule::Action StopSchedule::Due(base::Nanos now) {
  if (!terminated_ && terminate_at_ && now >= *terminate_at_) {
    terminated_ = true;
    terminate_at_.reset();
    if (cause_ == EndCause::kSelf) cause_ = EndCause::kTimeout;
    if (!kill_at_) kill_at_ = After(now, kill_after_);
    return Action::kTerminate;
  }
  if (kill_at_ && now >= *kill_at_) {
    kill_at_.reset();
    return Action::kKill;
  }
  return Action::kNone;
}

void StopSchedule::Retry(Action failed, base::Nanos now, bool passes) {
  const base::Nanos at = After(now, kRetryAfter);
  if (failed == Action::kKill) kill_at_ = at;
  if (failed != Action::kTerminate) return;
  if (!passes && ++refused_ > kMostRefusals) return;
  terminated_ = false;
  terminate_at_ = at;
}

std::optional<base::Nanos> StopSchedule::Next() const { return terminate_at_ ? terminate_at_ : kill_at_; }

}  // namespace jobd::launch
