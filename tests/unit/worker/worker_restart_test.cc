// What a new process makes of live rows: the table in reconciler.h.
#include <gtest/gtest.h>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;
using launch::SlotRecord;

class WorkerRestartTest : public WorkerTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Open().ok());
    ASSERT_TRUE(Submit("b", Jobs(1)).ok());
    key_ = launcher_->WaitLaunched(1).key;
  }
  launch::JobKey key_;
};

TEST_F(WorkerRestartTest, EndWrittenWhileAwayIsImported) {
  Restart(false, {{key_, SlotRecord{.started_at = 7, .ended_at = 9, .exit = ExitStatus::Exited(4)}}});
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.exit_code, 4);
  EXPECT_EQ(Job("b", 1).ended_at, 9);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, WhatRunsIsWatchedAgain) {
  Restart(false, {{key_, FakeRuns{}}});
  ASSERT_EQ(launcher_->recovered().size(), 1u);
  const auto asked = launcher_->recovered().front();
  EXPECT_EQ(asked.key, key_);
  EXPECT_EQ(asked.place.batch, key_.batch);
  EXPECT_EQ(asked.place.name, (BatchName{"ann", "b"}));
  EXPECT_EQ(asked.place.job_count, 1u);
  EXPECT_FALSE(asked.stopping);
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kRunning);
  launcher_->Exit(key_, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
}

TEST_F(WorkerRestartTest, WhatRunsHoldsItsSlotThoughThereAreFewerNow) {
  ASSERT_TRUE(Submit("c", Jobs(3)).ok());
  const auto other = launcher_->WaitLaunched(2).key;
  limits_.max_running = 1;
  Restart(false, {{key_, FakeRuns{}}, {other, FakeRuns{}}});
  EXPECT_EQ(worker_->GetStatus().running, 2u);
  launcher_->Exit(key_, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(launcher_->launched(), 0u);
  launcher_->Exit(other, ExitStatus::Exited(0));
  EXPECT_EQ(launcher_->WaitLaunched(1).key.index, 2u);
}

TEST_F(WorkerRestartTest, JobThatProvablyNeverStartedStartsAgainUnderTheSameNumber) {
  Restart();
  EXPECT_EQ(launcher_->WaitLaunched(1).key, key_);
}

TEST_F(WorkerRestartTest, LostJobIsNotStartedAgain) {
  for (const Reason& why : {ShimDied(), RecordDamaged()}) {
    Restart(false, {{key_, why}});
    UntilEnded("b");
    EXPECT_EQ(Job("b", 1).outcome.state, JobState::kLost);
    EXPECT_EQ(Job("b", 1).outcome.reason, why);
    EXPECT_EQ(launcher_->launched(), 0u);
    ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, true, done); }), 1u);
    key_ = launcher_->WaitLaunched(1).key;
  }
}

TEST_F(WorkerRestartTest, RecoveryThatFailsStopsTheStartAndDecidesNothing) {
  worker_.reset();
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  launcher_->LeaveBehind(key_, FakeRuns{});
  launcher_->FailRecovery({base::Code::kFailedPrecondition, "exit record of version 2, newer than ours"});
  const base::Status opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(opened.error().message(), "exit record of version 2, newer than ours");
  Restart(false, {{key_, SlotRecord{.exit = ExitStatus::Exited(4)}}});
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.exit_code, 4);
}

TEST_F(WorkerRestartTest, AnotherBootMakesUnaccountedJobsLostAndImportsRecords) {
  ASSERT_TRUE(Submit("c", Jobs(1)).ok());
  const auto other = launcher_->WaitLaunched(2).key;
  worker_.reset();
  ASSERT_TRUE(Database::Open(dir_ / "state/jobd.db", false)->Execute("UPDATE meta SET value = x'31' WHERE key = 'boot'").ok());
  Restart(false, {{other, SlotRecord{.started_at = 7, .ended_at = 9, .exit = ExitStatus::Exited(0)}}});
  UntilEnded("b");
  UntilEnded("c");
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kHostRestarted);
  EXPECT_EQ(Job("c", 1).outcome.state, JobState::kSucceeded);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, AnImportedFailureEndsABatchThatIsToFailFast) {
  ASSERT_TRUE(Submit("f", Jobs(3), {.fail_fast = true}).ok());
  const auto first = launcher_->WaitLaunched(2).key;
  Restart(false, {{key_, FakeRuns{}}, {first, SlotRecord{.exit = ExitStatus::Exited(1)}}});
  UntilEnded("f");
  EXPECT_EQ(Batch("f").counts, (std::map<JobState, uint32_t>{{JobState::kFailed, 1}, {JobState::kCancelled, 2}}));
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, PowerFailureLosesOnlyWhatHadASlot) {
  ASSERT_TRUE(Submit("q", Jobs(6)).ok());
  launcher_->WaitLaunched(2);
  (void)Cancel("q", 6);  // goes through a commit behind whatever the launches led to
  worker_.reset();
  ASSERT_TRUE(Database::Open(dir_ / "state/jobd.db", false)->Execute("UPDATE meta SET value = x'31' WHERE key = 'boot'").ok());
  Restart(true);
  UntilEnded("q");
  EXPECT_EQ(Batch("q").counts,
            (std::map<JobState, uint32_t>{{JobState::kSucceeded, 4}, {JobState::kCancelled, 1}, {JobState::kLost, 1}}));
  EXPECT_EQ(Job("q", 1).outcome.state, JobState::kLost);
}

TEST_F(WorkerRestartTest, CancelThatWasRecordedIsRepeated) {
  launcher_->Running(key_);
  ASSERT_EQ(Cancel("b")->stopping, 1u);
  Restart(false, {{key_, FakeRuns{}}});
  EXPECT_TRUE(launcher_->recovered().front().stopping);
  EXPECT_EQ(launcher_->WaitCancelled(1), key_);
  launcher_->Exit(key_, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.reason.text, "cancelled by bob: enough");
}

TEST_F(WorkerRestartTest, QueuedHeldAndEndedJobsStayWhatTheyWere) {
  ASSERT_TRUE(Submit("q", Jobs(8)).ok());
  launcher_->WaitLaunched(2);
  ASSERT_EQ(Cancel("q", 7)->cancelled, 1u);
  ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "q"}, .index = 8}, "bob", done); }), 1u);
  launcher_->Exit(key_, ExitStatus::Exited(0));
  UntilEnded("b");
  Restart(true);
  Until("q", [&] { return Batch("q").counts[JobState::kSucceeded] >= 4; });
  EXPECT_EQ(Job("q", 7).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("q", 8).outcome.state, JobState::kHeld);
}

}  // namespace
}  // namespace jobd::worker
