// Writes and reads that fail: whatever is refused has changed nothing.
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <utility>

#include "tests/support/await.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class WorkerFailureTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  void Sql(const std::string& sql) {
    auto database = Database::Open(dir_ / "state/jobd.db", false);
    ASSERT_TRUE(database.ok());
    const base::Status done = database->Execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  // Every change of a batch fails from now on.
  void BreakWrites() { Sql("CREATE TRIGGER broken BEFORE UPDATE ON batches BEGIN SELECT RAISE(ABORT, 'injected'); END"); }
  void MendWrites() { Sql("DROP TRIGGER broken"); }
  void BreakReadsOfRows() { Sql("ALTER TABLE jobs RENAME TO away"); }
  void MendReadsOfRows() { Sql("ALTER TABLE away RENAME TO jobs"); }

  base::Result<uint32_t> Hold(std::optional<uint32_t> index = std::nullopt) {
    return Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "b"}, .index = index}, "bob", done); });
  }
  base::Result<uint32_t> Release(std::optional<uint32_t> index = std::nullopt) {
    return Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}, .index = index}, done); });
  }
};

TEST_F(WorkerFailureTest, AHoldThatCannotBeRecordedHoldsNothing) {
  ASSERT_TRUE(Submit("b", Jobs(5)).ok());
  const auto first = launcher_->WaitLaunched(1);
  const auto second = launcher_->WaitLaunched(2);
  ASSERT_TRUE(Hold(3).ok());
  BreakWrites();
  EXPECT_FALSE(Hold().ok());
  EXPECT_FALSE(Hold(5).ok());
  MendWrites();
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  launcher_->Exit(second.key, ExitStatus::Exited(0));
  const std::set<uint32_t> others{launcher_->WaitLaunched(3).key.index, launcher_->WaitLaunched(4).key.index};
  EXPECT_EQ(others, (std::set<uint32_t>{4, 5})) << "the one that was held before stays held";
  EXPECT_EQ(Job("b", 3).outcome.state, JobState::kHeld);
}

TEST_F(WorkerFailureTest, FaultAHoldThatCannotBeRecordedHoldsNoJobWhoseAttemptEndsMeanwhile) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto first = launcher_->WaitLaunched(1);
  BreakWrites();
  std::promise<base::Result<uint32_t>> held;
  // From an answer, which comes on the loop: the attempt ends behind the hold and before the hold's commit is answered.
  worker_->Signal({.batch = {"ann", "b"}}, 10, [&](const base::Result<uint32_t>&) {
    worker_->Hold({.batch = {"ann", "b"}}, "bob", [&](base::Result<uint32_t> result) { held.set_value(std::move(result)); });
    launcher_->Exit(first.key, ExitStatus::Exited(1));
  });
  EXPECT_FALSE(test::Await(held.get_future()).ok());
  MendWrites();
  Until("b", [&] { return Job("b", 1).outcome.state == JobState::kHeld || Job("b", 1).attempt == 2; });
  EXPECT_EQ(Job("b", 1).attempt, 2u);
}

TEST_F(WorkerFailureTest, AReleaseThatCannotBeRecordedStartsNothing) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  BreakWrites();
  EXPECT_FALSE(Release().ok());
  EXPECT_FALSE(Release(2).ok());
  MendWrites();
  EXPECT_EQ(launcher_->launched(), 0u);
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kHeld, 3}}));
  EXPECT_EQ(*Release(), 3u);
  launcher_->WaitLaunched(2);
}

TEST_F(WorkerFailureTest, ACancelThatCannotBeRecordedLeavesAHeldJobHeld) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  BreakWrites();
  EXPECT_FALSE(Cancel("b", 2).ok());
  EXPECT_FALSE(Cancel("b").ok());
  MendWrites();
  (void)Hold();  // goes through the loop behind what the failures led to
  EXPECT_EQ(launcher_->launched(), 0u);
  EXPECT_EQ(Cancel("b")->cancelled, 3u);
}

TEST_F(WorkerFailureTest, FaultADrainGoesOnWhenTheCancelOfWhatItWaitsForCannotBeRecorded) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  ASSERT_EQ(*Await<ServiceState>([&](auto done) { worker_->Drain("bob", done); }), ServiceState::kDraining);
  BreakWrites();
  EXPECT_FALSE(Cancel("b").ok());
  MendWrites();
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kDraining);
  EXPECT_EQ(Cancel("b")->cancelled, 3u);
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kStopped);
}

TEST_F(WorkerFailureTest, WhatCannotBeReadIsNotCancelledAndWhatRunsIsEnded) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1);
  // Two that stand out of line, so that their rows are read.
  ASSERT_TRUE(Hold(3).ok());
  ASSERT_TRUE(Hold(4).ok());
  BreakReadsOfRows();
  EXPECT_FALSE(Cancel("b", 3).ok());
  EXPECT_FALSE(Cancel("b").ok());
  EXPECT_EQ(launcher_->WaitCancelled(1), first.key);
  MendReadsOfRows();
  EXPECT_EQ(Job("b", 3).outcome.state, JobState::kHeld);
  EXPECT_EQ(Cancel("b")->cancelled, 3u);
}

TEST_F(WorkerFailureTest, AHoldOfWhatCannotBeReadHoldsNothing) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1);
  ASSERT_TRUE(Hold(3).ok());
  ASSERT_TRUE(Release(3).ok());  // stands out of line, and may start
  BreakReadsOfRows();
  EXPECT_FALSE(Hold().ok());
  EXPECT_FALSE(Hold(2).ok());
  MendReadsOfRows();
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(2).key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(3).key, ExitStatus::Exited(0));
  launcher_->WaitLaunched(4);
}

TEST_F(WorkerFailureTest, ARetryThatFailsReservesNothing) {
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  for (const size_t n : {1u, 2u}) launcher_->Exit(launcher_->WaitLaunched(n).key, ExitStatus::Exited(1));
  UntilEnded("b");
  (void)Cancel("b");  // behind the reports that the shims are gone
  BreakWrites();
  EXPECT_FALSE(Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); }).ok());
  MendWrites();
  EXPECT_EQ(worker_->GetStatus().queued, 0u);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); }), 2u);
  launcher_->WaitLaunched(4);
}

TEST_F(WorkerFailureTest, TheLongerAShortageLastsTheLessOftenItIsTried) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  std::vector<base::Nanos> times;
  for (size_t start = 1; start <= 4; ++start) {
    const auto request = launcher_->WaitLaunched(start);
    EXPECT_EQ(request.key.attempt, start);
    times.push_back(base::SystemClock().Monotonic());
    launcher_->NotStarted(request.key, {.retryable = true, .number_used = true, .text = "no process"});
  }
  const base::Nanos margin = 50 * base::kNanosPerMilli;
  EXPECT_GE(times[1] - times[0], base::kNanosPerSecond - margin);
  EXPECT_GE(times[3] - times[2], 2 * base::kNanosPerSecond - margin);
  ASSERT_TRUE(Cancel("b").ok());
}

}  // namespace
}  // namespace jobd::worker
