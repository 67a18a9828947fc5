// The life of a live job: from the slot it was picked for until nothing is left of the attempt. The one table, in words and in
// code.
//
// States, by what is still to come:
//   Preparing   it has a slot; what it writes to is being made ready on the log disk: its batch's folder is made, what earlier
//               attempts have left is looked at, and expanded where it was compressed, so that this one can append to it
//   Recording   it has a slot; its row STARTING is being committed. Nothing has been asked of the launcher
//   Launching   the launcher has it; whether the program was executed is not known yet
//   Running     the program was executed
//   Stopping    it was told to end, and has not ended
//   Committing  the attempt is over and its row says how, or how it goes on. The row is being committed, and the launcher still has
//               something of the attempt: a shim that is about to exit, a lock, a cgroup
//   Settling    as Committing, but the launcher has nothing of it (any more)
//   Draining    as Committing, but the row is on disk
//   Gone        forgotten: its row is on disk, and nothing is left of it anywhere
//
// Events:
//   Prepared     all of that is done. Such an answer may come late: the job was given up and picked again meanwhile
//   Recorded     STARTING is on disk. Late when the job was given up meanwhile
//   Deferred     the start cannot be prepared or recorded for want of something that may come back. As Recorded, may be late
//   GivenUp      it is not started: cancelled or held, the service was stopped, or there is no way to start it. Its row says which
//   StopAsked    it is to end. Committed and told to the launcher by whoever asks: a full disk must not keep a job alive
//   Started      the launcher: executed
//   Ended        the launcher: ended or lost. Its row says how, or that it is queued for another attempt
//   NotStarted   the launcher: it did not run for want of something, and is queued again. It keeps its slot until it is gone, which
//                the reaper delays: so nobody asks for more of what is short
//   Saved        the newest row that was to be committed is on disk
//   Amended      its row, which had said QUEUED or HELD, says something else now: held, released or cancelled
//   Released     the launcher: nothing is left of the attempt
//   Retried      a client's retry committed QUEUED behind its end: when it is gone, it waits again
//
// clang-format off
//   state \ event  Prepared   Recorded  Deferred GivenUp   StopAsked Started  Ended      NotStarted Saved    Amended    Released Retried
//   Preparing      Recording  .         Gone     Settling  .         .        .          .          .        .          .        .
//                  r                    fx       fc
//   Recording      (late)     Launching Gone     Settling  .         .        .          .          .        .          .        .
//                             l         fx       fc
//   Launching      (late)     .         .        .         Stopping  Running  Committing Committing .        .          .        .
//                                                                    s        fc         c
//   Running        (late)     .         .        .         Stopping  .        Committing .          .        .          .        .
//                                                                             fc
//   Stopping       (late)     .         .        .         Stopping  Stopping Committing .          .        .          .        .
//                                                                    s        fc
//   Committing     (late)     .         .        .         .         .        .          .          Draining Committing Settling .
//                                                                                                   e        c
//   Settling       (late)     (late)    (late)   .         .         .        .          .          Gone     Settling   .        .
//                                                                                                   ex       c
//   Draining       (late)     .         .        .         .         .        .          .          .        Committing Gone     Draining
//                                                                                                            c          x
//
//   r: record the start     l: launch     f: the slot falls free     c: commit the row     s: tell of the start     e: tell of the
//   row, which is an end or another wait     x: forget; when its row says so, it goes back to the queue     .: must not happen
// clang-format on
//
// The slot falls free when the end is seen, not when it is committed, so that the end of one job and the start of the next share a
// commit. A job goes back to the queue from Gone alone: what is left of an attempt holds what the next one needs. What is queued on
// disk is only what waits: no start is recorded before there is a slot for it, or a power failure would make jobs LOST that had not
// begun.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace jobd::worker {

enum class LiveState : uint8_t {
  kPreparing,
  kRecording,
  kLaunching,
  kRunning,
  kStopping,
  kCommitting,
  kSettling,
  kDraining,
  kGone,
};
inline constexpr size_t kLiveStates = 9;

enum class LiveEvent : uint8_t {
  kPrepared,
  kRecorded,
  kDeferred,
  kGivenUp,
  kStopAsked,
  kStarted,
  kEnded,
  kNotStarted,
  kSaved,
  kAmended,
  kReleased,
  kRetried,
};
inline constexpr size_t kLiveEvents = 12;

// What is to be done, in this order.
enum LiveAction : uint8_t {
  kDoNothing = 0,
  kRecordStart = 1 << 0,
  kLaunch = 1 << 1,
  kFreeSlot = 1 << 2,
  kCommitRow = 1 << 3,
  kTellStart = 1 << 4,
  kTellRow = 1 << 5,
  kForget = 1 << 6,
};

struct LiveStep {
  enum class Kind : uint8_t {
    kNever,  // must not happen; the state stays
    kLate,   // lawful, and too late to change anything
    kMove,
  };
  Kind kind = Kind::kNever;
  LiveState next = LiveState::kGone;
  uint8_t actions = kDoNothing;  // of LiveAction
};

namespace live_job_table {

constexpr LiveStep To(LiveState next, unsigned actions = kDoNothing) {
  return {.kind = LiveStep::Kind::kMove, .next = next, .actions = static_cast<uint8_t>(actions)};
}

constexpr auto Make() {
  using S = LiveState;
  using E = LiveEvent;
  std::array<std::array<LiveStep, kLiveEvents>, kLiveStates> table{};
  for (size_t state = 0; state < kLiveStates; ++state) {
    for (LiveStep& step : table[state]) step = {.kind = LiveStep::Kind::kNever, .next = static_cast<S>(state)};
  }
  const auto set = [&table](S state, E event, LiveStep step) {
    table[static_cast<size_t>(state)][static_cast<size_t>(event)] = step;
  };
  const auto late = [&](S state, E event) { set(state, event, {.kind = LiveStep::Kind::kLate, .next = state}); };

  set(S::kPreparing, E::kPrepared, To(S::kRecording, kRecordStart));
  set(S::kPreparing, E::kDeferred, To(S::kGone, kFreeSlot | kForget));
  set(S::kPreparing, E::kGivenUp, To(S::kSettling, kFreeSlot | kCommitRow));

  set(S::kRecording, E::kRecorded, To(S::kLaunching, kLaunch));
  set(S::kRecording, E::kDeferred, To(S::kGone, kFreeSlot | kForget));
  set(S::kRecording, E::kGivenUp, To(S::kSettling, kFreeSlot | kCommitRow));

  set(S::kLaunching, E::kStopAsked, To(S::kStopping));
  set(S::kLaunching, E::kStarted, To(S::kRunning, kTellStart));
  set(S::kLaunching, E::kEnded, To(S::kCommitting, kFreeSlot | kCommitRow));
  set(S::kLaunching, E::kNotStarted, To(S::kCommitting, kCommitRow));

  set(S::kRunning, E::kStopAsked, To(S::kStopping));
  set(S::kRunning, E::kEnded, To(S::kCommitting, kFreeSlot | kCommitRow));

  set(S::kStopping, E::kStopAsked, To(S::kStopping));
  set(S::kStopping, E::kStarted, To(S::kStopping, kTellStart));
  set(S::kStopping, E::kEnded, To(S::kCommitting, kFreeSlot | kCommitRow));

  set(S::kCommitting, E::kSaved, To(S::kDraining, kTellRow));
  set(S::kCommitting, E::kAmended, To(S::kCommitting, kCommitRow));
  set(S::kCommitting, E::kReleased, To(S::kSettling));

  set(S::kSettling, E::kSaved, To(S::kGone, kTellRow | kForget));
  set(S::kSettling, E::kAmended, To(S::kSettling, kCommitRow));

  set(S::kDraining, E::kAmended, To(S::kCommitting, kCommitRow));
  set(S::kDraining, E::kReleased, To(S::kGone, kForget));
  set(S::kDraining, E::kRetried, To(S::kDraining));

  for (const S state : {S::kRecording, S::kLaunching, S::kRunning, S::kStopping, S::kCommitting, S::kSettling, S::kDraining}) {
    late(state, E::kPrepared);
  }
  late(S::kSettling, E::kRecorded);
  late(S::kSettling, E::kDeferred);
  return table;
}

inline constexpr auto kTable = Make();

}  // namespace live_job_table

// Pure.
constexpr LiveStep NextStep(LiveState state, LiveEvent event) {
  return live_job_table::kTable[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

// Before anything was asked of the launcher.
constexpr bool IsBeforeStart(LiveState state) { return state == LiveState::kPreparing || state == LiveState::kRecording; }
// The launcher has it, and it has not ended.
constexpr bool IsWithLauncher(LiveState state) {
  return state == LiveState::kLaunching || state == LiveState::kRunning || state == LiveState::kStopping;
}
// The attempt is over, or never was.
constexpr bool IsOver(LiveState state) { return state >= LiveState::kCommitting; }

}  // namespace jobd::worker
