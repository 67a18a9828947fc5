// The table of a live job's life, cell by cell.
#include "worker/run/live_job.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace jobd::worker {
namespace {

using S = LiveState;
using E = LiveEvent;
using Kind = LiveStep::Kind;

struct Cell {
  S next;
  unsigned actions;
};

// Every lawful move, as the words in live_job.h have it.
const std::map<std::pair<S, E>, Cell> kMoves = {
    {{S::kPreparing, E::kPrepared}, {S::kRecording, kRecordStart}},
    {{S::kPreparing, E::kDeferred}, {S::kGone, kFreeSlot | kForget}},
    {{S::kPreparing, E::kGivenUp}, {S::kSettling, kFreeSlot | kCommitRow}},
    {{S::kRecording, E::kRecorded}, {S::kLaunching, kLaunch}},
    {{S::kRecording, E::kDeferred}, {S::kGone, kFreeSlot | kForget}},
    {{S::kRecording, E::kGivenUp}, {S::kSettling, kFreeSlot | kCommitRow}},
    {{S::kLaunching, E::kStopAsked}, {S::kStopping, kDoNothing}},
    {{S::kLaunching, E::kStarted}, {S::kRunning, kTellStart}},
    {{S::kLaunching, E::kEnded}, {S::kCommitting, kFreeSlot | kCommitRow}},
    {{S::kLaunching, E::kNotStarted}, {S::kCommitting, kCommitRow}},
    {{S::kRunning, E::kStopAsked}, {S::kStopping, kDoNothing}},
    {{S::kRunning, E::kEnded}, {S::kCommitting, kFreeSlot | kCommitRow}},
    {{S::kStopping, E::kStopAsked}, {S::kStopping, kDoNothing}},
    {{S::kStopping, E::kStarted}, {S::kStopping, kTellStart}},
    {{S::kStopping, E::kEnded}, {S::kCommitting, kFreeSlot | kCommitRow}},
    {{S::kCommitting, E::kSaved}, {S::kDraining, kTellRow}},
    {{S::kCommitting, E::kAmended}, {S::kCommitting, kCommitRow}},
    {{S::kCommitting, E::kReleased}, {S::kSettling, kDoNothing}},
    {{S::kSettling, E::kSaved}, {S::kGone, kTellRow | kForget}},
    {{S::kSettling, E::kAmended}, {S::kSettling, kCommitRow}},
    {{S::kDraining, E::kAmended}, {S::kCommitting, kCommitRow}},
    {{S::kDraining, E::kReleased}, {S::kGone, kForget}},
    {{S::kDraining, E::kRetried}, {S::kDraining, kDoNothing}},
};
// Answers to what was asked of a start that has been given up since, and to what was asked twice.
bool IsLate(S state, E event) {
  if (event == E::kPrepared) return state != S::kPreparing && state != S::kGone;
  return state == S::kSettling && (event == E::kRecorded || event == E::kDeferred);
}

std::vector<S> States() {
  std::vector<S> all;
  for (size_t i = 0; i < kLiveStates; ++i) all.push_back(static_cast<S>(i));
  return all;
}
std::vector<E> Events() {
  std::vector<E> all;
  for (size_t i = 0; i < kLiveEvents; ++i) all.push_back(static_cast<E>(i));
  return all;
}
std::string Where(S state, E event) {
  return "state " + std::to_string(static_cast<int>(state)) + ", event " + std::to_string(static_cast<int>(event));
}

TEST(LiveJobTest, EveryCellIsAsTheWordsSay) {
  for (const S state : States()) {
    for (const E event : Events()) {
      const LiveStep step = NextStep(state, event);
      const auto move = kMoves.find({state, event});
      if (move != kMoves.end()) {
        EXPECT_EQ(step.kind, Kind::kMove) << Where(state, event);
        EXPECT_EQ(step.next, move->second.next) << Where(state, event);
        EXPECT_EQ(step.actions, move->second.actions) << Where(state, event);
        continue;
      }
      EXPECT_EQ(step.kind, IsLate(state, event) ? Kind::kLate : Kind::kNever) << Where(state, event);
      EXPECT_EQ(step.next, state) << Where(state, event);
      EXPECT_EQ(step.actions, kDoNothing) << Where(state, event);
    }
  }
}

TEST(LiveJobTest, NothingLeadsOutOfGoneAndEveryOtherStateLeadsThere) {
  for (const E event : Events()) EXPECT_EQ(NextStep(S::kGone, event).kind, Kind::kNever);
  for (const S from : States()) {
    std::vector<S> reached = {from};
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const E event : Events()) {
        const S next = NextStep(reached[i], event).next;
        if (std::find(reached.begin(), reached.end(), next) == reached.end()) reached.push_back(next);
      }
    }
    EXPECT_NE(std::find(reached.begin(), reached.end(), S::kGone), reached.end()) << static_cast<int>(from);
  }
}

TEST(LiveJobTest, AJobIsForgottenWhenItIsGoneAndThenAlone) {
  for (const S state : States()) {
    for (const E event : Events()) {
      const LiveStep step = NextStep(state, event);
      if (step.kind != Kind::kMove) continue;
      EXPECT_EQ((step.actions & kForget) != 0, step.next == S::kGone) << Where(state, event);
    }
  }
}

TEST(LiveJobTest, WhatIsOverHasAnUncommittedRowUntilItIsSaved) {
  for (const S state : States()) {
    for (const E event : Events()) {
      const LiveStep step = NextStep(state, event);
      if (step.kind != Kind::kMove) continue;
      const bool to_uncommitted = step.next == S::kCommitting || step.next == S::kSettling;
      // Released moves between the two, and the commit that is under way goes on.
      if (to_uncommitted && event != E::kReleased) {
        EXPECT_NE(step.actions & kCommitRow, 0) << Where(state, event);
      }
      if ((step.actions & kTellRow) != 0) {
        EXPECT_EQ(event, E::kSaved) << "told before it was on disk: " << Where(state, event);
      }
    }
  }
}

TEST(LiveJobTest, NothingIsLaunchedBeforeItsStartIsOnDisk) {
  for (const S state : States()) {
    for (const E event : Events()) {
      if ((NextStep(state, event).actions & kLaunch) == 0) continue;
      EXPECT_EQ(event, E::kRecorded);
      EXPECT_EQ(state, S::kRecording);
    }
  }
}

}  // namespace
}  // namespace jobd::worker
