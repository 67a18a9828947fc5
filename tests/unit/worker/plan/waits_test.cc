// Every reason that a job can have today, and which of several is the main one.
#include "worker/plan/waits.h"

#include <gtest/gtest.h>

namespace jobd::worker {
namespace {

constexpr base::Nanos kSince = 1000;

class WaitsTest : public ::testing::Test {
 protected:
  std::vector<WaitCode> Codes() {
    std::vector<WaitCode> codes;
    for (const WaitReason& wait : Waits()) codes.push_back(wait.code);
    return codes;
  }
  WaitReasons Waits() { return WhyItWaits(asked_, where_, batch_, job_, service_, lacked_); }

  WaitQuery::Job asked_{.index = 1, .state = JobState::kQueued, .since = kSince, .held_by = {}};
  Whereabouts where_ = Whereabouts::kInQueue;
  Queue::Place batch_;
  Queue::Place::Job job_{.queued = true};
  ServiceStanding service_{.slots = 2};
  std::string lacked_;
};

TEST_F(WaitsTest, NothingKeepsItBack) {
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kTurn, .since = kSince}})) << "it is about to start";
}

TEST_F(WaitsTest, FaultC1JobsBeforeIt) {
  service_.slots_used = 2;
  job_.before = 13;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kTurn, .since = kSince, .before = 13},
                                  {.code = WaitCode::kServiceSlots, .since = kSince, .used = 2, .max = 2}}));
  job_.exact = false;
  EXPECT_TRUE(Waits()[0].before_at_least);
}

TEST_F(WaitsTest, NoSlotAndNobodyBeforeIt) {
  service_.slots_used = 3;  // more than there are, after a reload
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kServiceSlots, .since = kSince, .used = 3, .max = 2}}));
}

TEST_F(WaitsTest, FaultC1TheOwnersLimit) {
  batch_.max_running = batch_.owner_running = 1;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kUserLimit, .since = kSince, .limit = "max_running", .used = 1, .max = 1}}));
  batch_.max_running = 2;
  EXPECT_EQ(Codes(), std::vector{WaitCode::kTurn}) << "there is room";
}

TEST_F(WaitsTest, TheBatchsParallel) {
  batch_.parallel = batch_.running = 4;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kBatchParallel, .since = kSince, .used = 4, .max = 4}}));
}

TEST_F(WaitsTest, FaultC1HeldByWhomAndSinceWhen) {
  asked_.state = JobState::kHeld;
  asked_.held_by = "bob";
  job_.held = true;
  job_.before = 3;
  service_.slots_used = 2;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kHeld, .since = kSince, .by = "bob"}})) << "it has no turn";
}

TEST_F(WaitsTest, HeldSinceItWasLookedAt) {
  asked_.held_by = "bob";  // of an earlier hold
  job_.held = true;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kHeld}})) << "by whom is not known here";
}

TEST_F(WaitsTest, FaultC1TheServiceIsStopped) {
  service_.stopped = true;
  service_.stopped_by = "admin";
  service_.stopped_since = 7;
  job_.before = 1;
  const WaitReasons waits = Waits();
  EXPECT_EQ(waits[0], (WaitReason{.code = WaitCode::kServiceStopped, .since = 7, .by = "admin"}));
  EXPECT_EQ(waits[1].code, WaitCode::kTurn);
}

TEST_F(WaitsTest, ADiskThatTakesNothing) {
  service_.disk = "log";
  service_.disk_since = 5;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kDisk, .since = 5, .disk = "log"}}));
}

TEST_F(WaitsTest, ARestartIsNotThroughYet) {
  service_.recovering = true;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kRecovering, .of_service = true}}));
}

TEST_F(WaitsTest, WhatIsLeftOfTheLastAttempt) {
  where_ = Whereabouts::kLeaving;
  job_ = {};
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kRecovering, .since = kSince}}));
  asked_.state = JobState::kHeld;
  EXPECT_EQ(Codes(), (std::vector{WaitCode::kHeld, WaitCode::kRecovering}));
}

TEST_F(WaitsTest, FaultWhatTheMachineLackedForItsStart) {
  where_ = Whereabouts::kLeaving;
  job_ = {};
  lacked_ = "making the pipes: Too many open files";
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kResource, .since = kSince, .lacked = lacked_}}));
  asked_.state = JobState::kHeld;
  EXPECT_EQ(Codes(), (std::vector{WaitCode::kHeld, WaitCode::kResource}));
}

TEST_F(WaitsTest, AStartThatIsBeingRecordedWaitsForTheDiskOrForNothing) {
  where_ = Whereabouts::kStarting;
  job_ = {};
  EXPECT_EQ(Codes(), std::vector{WaitCode::kTurn});
  service_.disk = "state";
  EXPECT_EQ(Codes(), std::vector{WaitCode::kDisk});
}

TEST_F(WaitsTest, WhatHasStartedOrEndedMeanwhileWaitsForNothing) {
  job_ = {};
  service_.stopped = true;
  service_.slots_used = 2;
  EXPECT_TRUE(Waits().empty());
}

TEST_F(WaitsTest, WhatComesFirstIsWhatWouldKeepItWhateverBecameOfTheRest) {
  asked_.state = JobState::kHeld;
  job_.held = true;
  service_.stopped = true;
  service_.disk = "state";
  batch_.parallel = batch_.running = 1;
  batch_.max_running = batch_.owner_running = 1;
  EXPECT_EQ(Codes(), (std::vector{WaitCode::kHeld, WaitCode::kServiceStopped, WaitCode::kDisk, WaitCode::kBatchParallel,
                                  WaitCode::kUserLimit}));
}

TEST_F(WaitsTest, OneThatIsOnItsWayMayWaitForADisk) {
  asked_.state = JobState::kScheduled;
  where_ = Whereabouts::kStarting;
  job_.queued = false;
  EXPECT_TRUE(Waits().empty()) << "its state says all";
  service_.disk = "log";
  service_.disk_since = 9;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kDisk, .since = 9, .disk = "log"}}));
  // Meanwhile it was put back.
  where_ = Whereabouts::kInQueue;
  job_ = {.queued = true, .before = 1};
  EXPECT_EQ(Codes(), (std::vector{WaitCode::kDisk, WaitCode::kTurn}));
}

TEST_F(WaitsTest, WhatWasNotCountedIsNotTakenForNone) {
  job_.exact = false;
  EXPECT_EQ(Waits(), (WaitReasons{{.code = WaitCode::kTurn, .since = kSince, .before_at_least = true}}));
}

}  // namespace
}  // namespace jobd::worker
