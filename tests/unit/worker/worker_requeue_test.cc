// Jobs that are held, released, and run again.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "tests/support/await.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/model/observer.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class WorkerRequeueTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  base::Result<uint32_t> Hold(const std::string& id, std::optional<uint32_t> index = std::nullopt) {
    return Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", id}, .index = index}, "bob", done); });
  }
  base::Result<uint32_t> Release(const std::string& id, std::optional<uint32_t> index = std::nullopt) {
    return Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", id}, .index = index}, done); });
  }
};

TEST_F(WorkerRequeueTest, RetryOfAFinishedBatchMakesANewAttempt) {
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  launcher_->Exit(launcher_->WaitLaunched(1).key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(2).key, ExitStatus::Exited(1));
  UntilEnded("b");
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, true, done); }), 1u);
  const auto again = launcher_->WaitLaunched(3);
  EXPECT_EQ(again.key.attempt, 2u);
  EXPECT_EQ(Batch("b").ended_at, 0);
  launcher_->Exit(again.key, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Batch("b").state, JobState::kSucceeded);
}

TEST_F(WorkerRequeueTest, ASecondRetryIsRefusedWhileTheFirstIsRecorded) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->Exit(launcher_->WaitLaunched(1).key, ExitStatus::Exited(1));
  UntilEnded("b");
  (void)Cancel("b");  // behind the report that the shim is gone
  std::promise<base::Result<uint32_t>> first;
  std::promise<base::Result<uint32_t>> second;
  // From an answer, which comes on the loop: both are there before the first can be committed.
  worker_->Hold({.batch = {"ann", "b"}}, "bob", [&](const base::Result<uint32_t>&) {
    worker_->Retry({.batch = {"ann", "b"}}, true, [&](base::Result<uint32_t> result) { first.set_value(std::move(result)); });
    worker_->Retry({.batch = {"ann", "b"}}, true, [&](base::Result<uint32_t> result) { second.set_value(std::move(result)); });
  });
  const auto refused = test::Await(second.get_future());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kAborted);
  EXPECT_EQ(*test::Await(first.get_future()), 1u);
  EXPECT_EQ(launcher_->WaitLaunched(2).key.attempt, 2u);
}

TEST_F(WorkerRequeueTest, RetryOfALargeBatchQueuesEveryJobOnce) {
  constexpr uint32_t kJobs = 5000;
  ASSERT_TRUE(Submit("b", Jobs(kJobs), {.hold = true}).ok());
  ASSERT_EQ(Cancel("b")->cancelled, kJobs);
  auto limits = limits_;
  limits.max_running = 1;
  worker_->SetLimits(limits);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); }), kJobs);
  launcher_->WaitLaunched(1);
  EXPECT_EQ(worker_->GetStatus().queued, kJobs - 1);
  auto counts = Batch("b").counts;
  EXPECT_EQ(counts[JobState::kQueued], kJobs - 1);
  EXPECT_EQ(counts[JobState::kStarting], 1u);
}

TEST_F(WorkerRequeueTest, HoldKeepsWhatWaitsForASlot) {
  ASSERT_TRUE(Submit("b", Jobs(6)).ok());
  const auto first = launcher_->WaitLaunched(1);
  const auto second = launcher_->WaitLaunched(2);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "b"}}, "bob", done); }), 4u);
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  launcher_->Exit(second.key, ExitStatus::Exited(0));
  UntilState("b", 2, JobState::kSucceeded);
  UntilState("b", 1, JobState::kSucceeded);
  EXPECT_EQ(Batch("b").counts[JobState::kHeld], 4u);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}}, done); }), 4u);
  EXPECT_EQ(launcher_->WaitLaunched(3).key.attempt, 1u);
}

TEST_F(WorkerRequeueTest, AJobReleasedOutOfAHeldBatchStartsAlone) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}, .index = 2}, done); }), 1u);
  const auto request = launcher_->WaitLaunched(1);
  EXPECT_EQ(request.key.index, 2u);
  launcher_->Exit(request.key, ExitStatus::Exited(0));
  UntilState("b", 2, JobState::kSucceeded);
  EXPECT_EQ(Batch("b").counts[JobState::kHeld], 2u);
}

TEST_F(WorkerRequeueTest, ACancelEndsARetryUnderWayAndMissesNothing) {
  constexpr uint32_t kJobs = 5000;
  ASSERT_TRUE(Submit("b", Jobs(kJobs), {.hold = true}).ok());
  ASSERT_EQ(Cancel("b")->cancelled, kJobs);
  std::promise<base::Result<uint32_t>> retried;
  std::promise<base::Result<CancelCounts>> cancelled;
  // From an answer, which comes on the loop: both are there before the first slice can be committed.
  worker_->Hold({.batch = {"ann", "b"}}, "bob", [&](const base::Result<uint32_t>&) {
    worker_->Retry({.batch = {"ann", "b"}}, false, [&](base::Result<uint32_t> result) { retried.set_value(std::move(result)); });
    worker_->Cancel({.batch = {"ann", "b"}}, "bob", "enough", std::nullopt,
                    [&](base::Result<CancelCounts> result) { cancelled.set_value(std::move(result)); });
  });
  const auto refused = test::Await(retried.get_future());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kAborted);
  const auto counts = test::Await(cancelled.get_future());
  ASSERT_TRUE(counts.ok());
  EXPECT_GT(counts->cancelled, 0u);
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, kJobs}}));
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRequeueTest, AHoldDuringAReleaseIsRefusedAndNotLost) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  std::promise<base::Result<uint32_t>> released;
  std::promise<base::Result<uint32_t>> held;
  worker_->Signal({.batch = {"ann", "b"}}, 10, [&](const base::Result<uint32_t>&) {
    worker_->Release({.batch = {"ann", "b"}}, [&](base::Result<uint32_t> result) { released.set_value(std::move(result)); });
    worker_->Hold({.batch = {"ann", "b"}}, "bob", [&](base::Result<uint32_t> result) { held.set_value(std::move(result)); });
  });
  EXPECT_EQ(*test::Await(released.get_future()), 3u);
  const auto refused = test::Await(held.get_future());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kAborted);
  launcher_->WaitLaunched(2);
}

TEST_F(WorkerRequeueTest, ARepeatOfWhatWasAcceptedGetsItsReceiptThoughBoundsAreLowerNow) {
  const auto accepted = Submit("b", Jobs(2), {.hold = true});
  ASSERT_TRUE(accepted.ok());
  auto limits = limits_;
  limits.max_batch_jobs = 1;
  worker_->SetLimits(limits);
  const auto repeated = Submit("b", Jobs(2), {.hold = true});
  ASSERT_TRUE(repeated.ok()) << repeated.error().message();
  EXPECT_TRUE(repeated->replayed);
  EXPECT_EQ(repeated->created_at, accepted->created_at);
  const auto another = Submit("c", Jobs(2), {.hold = true});
  ASSERT_FALSE(another.ok());
  EXPECT_EQ(another.error().code(), base::Code::kInvalidArgument);
  EXPECT_FALSE(Submit("", Jobs(2), {.hold = true}).ok());
}

TEST_F(WorkerRequeueTest, FaultA14AHoldHoldsAJobThatWaitsForTheRestOfItsAttempt) {
  for (const bool single : {false, true}) {
    const std::string id = single ? "single" : "whole";
    const std::optional<uint32_t> index = single ? std::optional<uint32_t>(1) : std::nullopt;
    const size_t before = launcher_->launched();
    ASSERT_TRUE(Submit(id, Jobs(1, 1)).ok());
    const auto first = launcher_->WaitLaunched(before + 1);
    launcher_->Ended(first.key, {.exit = ExitStatus::Exited(1)});
    UntilState(id, 1, JobState::kQueued);
    EXPECT_EQ(*Hold(id, index), 1u);
    EXPECT_EQ(Job(id, 1).outcome.state, JobState::kHeld);
    launcher_->Release(first.key);
    EXPECT_EQ(*Hold(id, index), 0u) << "it is held already; and this is behind the release";
    EXPECT_EQ(launcher_->launched(), before + 1);
    EXPECT_EQ(Job(id, 1).outcome.state, JobState::kHeld);
    EXPECT_EQ(*Release(id, index), 1u);
    EXPECT_EQ(launcher_->WaitLaunched(before + 2).key.attempt, 2u);
    launcher_->Exit(launcher_->WaitLaunched(before + 2).key, ExitStatus::Exited(0));
    UntilEnded(id);
  }
}

TEST_F(WorkerRequeueTest, FaultA14AHoldHoldsTheNextAttemptOfAJobThatRuns) {
  ASSERT_TRUE(Submit("b", Jobs(1, 2)).ok());
  const auto first = launcher_->WaitLaunched(1);
  launcher_->Running(first.key);
  EXPECT_EQ(*Hold("b"), 0u);
  launcher_->Exit(first.key, ExitStatus::Exited(1));
  UntilState("b", 1, JobState::kHeld);
  EXPECT_EQ(*Hold("b"), 0u);
  EXPECT_EQ(launcher_->launched(), 1u);
  EXPECT_EQ(*Release("b"), 1u);
  const auto second = launcher_->WaitLaunched(2);
  // Released before it ends: it goes on.
  EXPECT_EQ(*Hold("b"), 0u);
  EXPECT_EQ(*Release("b"), 0u);
  launcher_->Exit(second.key, ExitStatus::Exited(1));
  EXPECT_EQ(launcher_->WaitLaunched(3).key.attempt, 3u);
}

// What was told of a job that runs is known after a restart: by index, and against what holds for its batch.
TEST_F(WorkerRequeueTest, FaultD16AHoldOfOneRunningJobSurvivesARestart) {
  ASSERT_TRUE(Submit("b", Jobs(2, 1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  ASSERT_TRUE(Hold("b", 1).ok());
  Restart(false, {{first, FakeRuns{}}, {second, FakeRuns{}}});
  launcher_->Exit(first, ExitStatus::Exited(1));
  UntilState("b", 1, JobState::kHeld);
  EXPECT_EQ(Job("b", 1).held_by, "bob");
  EXPECT_GT(Job("b", 1).waits_since, 0);
  launcher_->Exit(second, ExitStatus::Exited(1));
  EXPECT_EQ(launcher_->WaitLaunched(1).key.index, 2u) << "the other one was not held";
}

TEST_F(WorkerRequeueTest, FaultD16AReleaseOfOneRunningJobOfAHeldBatchSurvivesARestart) {
  ASSERT_TRUE(Submit("b", Jobs(3, 1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  ASSERT_TRUE(Hold("b").ok());
  ASSERT_TRUE(Release("b", 2).ok());
  Restart(false, {{first, FakeRuns{}}, {second, FakeRuns{}}});
  launcher_->Exit(first, ExitStatus::Exited(1));
  UntilState("b", 1, JobState::kHeld);
  launcher_->Exit(second, ExitStatus::Exited(1));
  EXPECT_EQ(launcher_->WaitLaunched(1).key.index, 2u);
  EXPECT_EQ(Job("b", 3).outcome.state, JobState::kHeld);
}

TEST_F(WorkerRequeueTest, FaultD16AJobReleasedOutOfAHeldBatchIsTriedAgainAfterARestart) {
  ASSERT_TRUE(Submit("b", Jobs(2, 1), {.hold = true}).ok());
  ASSERT_TRUE(Release("b", 2).ok());
  const auto key = launcher_->WaitLaunched(1).key;
  Restart(false, {{key, FakeRuns{}}});
  launcher_->Exit(key, ExitStatus::Exited(1));
  EXPECT_EQ(launcher_->WaitLaunched(1).key.index, 2u);
}

TEST_F(WorkerRequeueTest, WhatHasEndedIsNotHeldByAnybody) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto key = launcher_->WaitLaunched(1).key;
  ASSERT_TRUE(Hold("b", 1).ok());
  launcher_->Exit(key, ExitStatus::Exited(1));
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).held_by, "");
}

TEST_F(WorkerRequeueTest, FaultC2ABatchAllOfWhichIsHeldIsHeld) {
  ASSERT_TRUE(Submit("b", Jobs(3)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  ASSERT_TRUE(Hold("b").ok());
  EXPECT_EQ(Batch("b").state, JobState::kRunning);
  launcher_->Exit(first, ExitStatus::Exited(0));
  launcher_->Exit(second, ExitStatus::Exited(0));
  UntilState("b", 2, JobState::kSucceeded);
  UntilState("b", 1, JobState::kSucceeded);
  EXPECT_EQ(Batch("b").state, JobState::kHeld);
  ASSERT_TRUE(Submit("c", Jobs(2), {.hold = true}).ok());
  EXPECT_EQ(worker_->ListBatches({.states = {JobState::kHeld}})->batches.size(), 2u);
  ASSERT_TRUE(Release("c").ok());
  EXPECT_EQ(worker_->ListBatches({.states = {JobState::kHeld}})->batches.size(), 1u);
  ASSERT_TRUE(Cancel("b").ok());
  EXPECT_TRUE(worker_->ListBatches({.states = {JobState::kHeld}})->batches.empty());
}

TEST_F(WorkerRequeueTest, AReleaseOfAJobThatWaitsForTheRestOfItsAttempt) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto first = launcher_->WaitLaunched(1);
  launcher_->Ended(first.key, {.exit = ExitStatus::Exited(1)});
  UntilState("b", 1, JobState::kQueued);
  EXPECT_EQ(*Hold("b"), 1u);
  EXPECT_EQ(*Release("b"), 1u);
  launcher_->Release(first.key);
  EXPECT_EQ(launcher_->WaitLaunched(2).key.attempt, 2u);
}

TEST_F(WorkerRequeueTest, FaultAHoldBehindARetryKeepsTheRetriesThatItGave) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  launcher_->Exit(launcher_->WaitLaunched(1).key, ExitStatus::Exited(1));
  const auto second = launcher_->WaitLaunched(2);
  launcher_->Ended(second.key, {.exit = ExitStatus::Exited(1)});
  UntilEnded("b");
  // Something is left of the attempt: so the retry and the hold meet it in the table of live jobs.
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, true, done); }), 1u);
  EXPECT_EQ(*Hold("b"), 1u);
  launcher_->Release(second.key);
  EXPECT_EQ(*Release("b"), 1u);
  launcher_->Exit(launcher_->WaitLaunched(3).key, ExitStatus::Exited(1));
  Until("b", [&] { return Batch("b").ended_at != 0 || Job("b", 1).attempt == 4; });
  EXPECT_EQ(Job("b", 1).attempt, 4u);
}

TEST_F(WorkerRequeueTest, FaultARetryThatFindsNothingToRetryLeavesTheBatchRemovable) {
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  launcher_->Exit(launcher_->WaitLaunched(1).key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(2).key, ExitStatus::Exited(1));
  UntilEnded("b");
  (void)Cancel("b");  // behind the reports that nothing is left of them
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = 1}, true, done); }), 0u);
  EXPECT_TRUE(Await<bool>([&](auto done) { worker_->Remove({"ann", "b"}, done); }).ok());
}

// Does something on the store's thread right behind a commit: its answer has not reached the loop.
class BehindCommit final : public Observer {
 public:
  void Do(std::function<void()> work) { *work_.Lock() = std::move(work); }
  void OnCommit(base::Nanos, bool) override {
    std::function<void()> work;
    std::swap(work, *work_.Lock());
    if (work) work();
  }

 private:
  base::Guarded<std::function<void()>> work_;
};

class BetweenCommitAndQueueTest : public WorkerTest {
 protected:
  void SetUp() override {
    auto worker = Worker::Create({.state_dir = state_.get(), .log_dir = logs_.get(), .limits = limits_, .observer = &commits_},
                                 *launcher_, clock_);
    ASSERT_TRUE(worker.ok());
    worker_ = std::move(*worker);
    (void)Await<uint32_t>([&](auto done) { worker_->Stop(false, "root", done); });  // behind the commits of the start
    (void)Await<ServiceState>([&](auto done) { worker_->Start(done); });
  }
  ~BetweenCommitAndQueueTest() override { worker_.reset(); }
  BehindCommit commits_;
};

TEST_F(BetweenCommitAndQueueTest, FaultA14ACancelCancels) {
  std::promise<base::Result<CancelCounts>> cancelled;
  commits_.Do([&] {
    worker_->Cancel({.batch = {"ann", "b"}}, "bob", "enough", std::nullopt,
                    [&](base::Result<CancelCounts> counts) { cancelled.set_value(std::move(counts)); });
  });
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  const auto counts = test::Await(cancelled.get_future());
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->cancelled, 4u);
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, 4}}));
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(BetweenCommitAndQueueTest, FaultA14AHoldHolds) {
  std::promise<base::Result<uint32_t>> held;
  commits_.Do([&] {
    worker_->Hold({.batch = {"ann", "b"}}, "bob", [&](base::Result<uint32_t> count) { held.set_value(std::move(count)); });
  });
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  EXPECT_EQ(*test::Await(held.get_future()), 4u);
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kHeld, 4}}));
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(BetweenCommitAndQueueTest, FaultA14AStopNowLeavesNothingToStart) {
  std::promise<base::Result<uint32_t>> stopped;
  commits_.Do([&] { worker_->Stop(true, "root", [&](base::Result<uint32_t> count) { stopped.set_value(std::move(count)); }); });
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  EXPECT_EQ(*test::Await(stopped.get_future()), 4u);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(BetweenCommitAndQueueTest, FaultAStopNowDoesNotWaitForWhatIsRefusedMeanwhile) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.hold = true}).ok());
  std::atomic<bool> over{false};
  std::atomic<size_t> asked{0};
  // At every commit, until it is over, another submission is on its way before the answer to that commit is: there always is one.
  std::function<void()> ask = [&] {
    if (over) return;
    commits_.Do(ask);
    worker_->Submit({.owner = "ann"}, {.correlation_id = "r" + std::to_string(++asked)}, Jobs(1),
                    [](const base::Result<Receipt>&) {});
    (void)Await<uint32_t>([&](auto done) { worker_->Signal({.batch = {"ann", "b"}}, 10, done); });  // the loop has it
  };
  commits_.Do(ask);
  std::promise<base::Result<uint32_t>> stopped;
  worker_->Stop(true, "root", [&](base::Result<uint32_t> count) { stopped.set_value(std::move(count)); });
  auto answer = stopped.get_future();
  EXPECT_EQ(answer.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  over = true;
  EXPECT_EQ(*answer.get(), 4u);
  (void)Await<ServiceState>([&](auto done) { worker_->Start(done); });  // behind the last commit at which it was asked
}

}  // namespace
}  // namespace jobd::worker
