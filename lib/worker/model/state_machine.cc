#include "worker/model/state_machine.h"

#include <array>
#include <cstdint>

namespace jobd::worker {
namespace {

constexpr uint16_t Bit(JobState state) { return static_cast<uint16_t>(1u << static_cast<unsigned>(state)); }

constexpr uint16_t kFinal = Bit(JobState::kSucceeded) | Bit(JobState::kFailed) | Bit(JobState::kCancelled) |
                            Bit(JobState::kTimedOut) | Bit(JobState::kOomKilled) | Bit(JobState::kLost);

// Which states each may be followed by, in the order of JobState.
constexpr std::array<uint16_t, kJobStates> kNext = {
    0,
    /* QUEUED */ Bit(JobState::kQueued) | Bit(JobState::kHeld) | Bit(JobState::kScheduled) | Bit(JobState::kStarting) | kFinal,
    /* HELD */ Bit(JobState::kHeld) | Bit(JobState::kQueued) | kFinal,
    /* SCHEDULED */ Bit(JobState::kQueued) | Bit(JobState::kHeld) | Bit(JobState::kStarting) | kFinal,
    /* STARTING */ Bit(JobState::kQueued) | Bit(JobState::kHeld) | Bit(JobState::kRunning) | Bit(JobState::kStopping) | kFinal,
    /* RUNNING */ Bit(JobState::kQueued) | Bit(JobState::kStopping) | kFinal,
    /* STOPPING */ kFinal,
    0,
    0,
    0,
    0,
    0,
    0,
};

}  // namespace

bool MayMove(JobState from, JobState to, Move move) {
  const auto row = static_cast<size_t>(from);
  if (row >= kNext.size()) return false;
  if (move == Move::kNewAttempt) return IsFinal(from) && to == JobState::kQueued;
  return (kNext[row] & Bit(to)) != 0;
}

}  // namespace jobd::worker
