// What is done to all jobs of a batch that wait, many of which have a row each.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class WholeBatchTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  base::Result<uint32_t> Hold(const std::string& id, std::optional<uint32_t> index = std::nullopt) {
    return Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", id}, .index = index}, "bob", done); });
  }
  base::Result<uint32_t> Release(const std::string& id) {
    return Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", id}}, done); });
  }
};

// Jobs with a row each are moved by a few statements, however many they are: see MoveWaiting.
TEST_F(WholeBatchTest, FaultH4ALargeBatchThatWasRetriedIsHeldReleasedAndCancelledAsAWhole) {
  constexpr uint32_t kJobs = 5000;
  ASSERT_TRUE(Submit("b", Jobs(kJobs), {.hold = true}).ok());
  ASSERT_EQ(Cancel("b")->cancelled, kJobs);
  auto limits = limits_;
  limits.max_running = 1;
  worker_->SetLimits(limits);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); }), kJobs);
  const auto first = launcher_->WaitLaunched(1).key;
  // One that is out of line splits the range of the others.
  ASSERT_EQ(Cancel("b", 3000)->cancelled, 1u);
  EXPECT_GE(*Hold("b"), kJobs - 2);
  EXPECT_EQ(Batch("b").counts[JobState::kHeld], kJobs - 2);
  EXPECT_EQ(Job("b", 2999).held_by, "bob");
  EXPECT_GT(Job("b", 2999).waits_since, 0);
  Restart(false, {{first, FakeRuns{}}});
  worker_->SetLimits(limits);
  EXPECT_EQ(Batch("b").counts[JobState::kHeld], kJobs - 2);
  EXPECT_GE(*Release("b"), kJobs - 2);
  EXPECT_EQ(Batch("b").counts[JobState::kQueued], kJobs - 2);
  EXPECT_EQ(Job("b", 2999).held_by, "");
  EXPECT_EQ(Cancel("b")->cancelled, kJobs - 2);
  launcher_->Exit(first, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, kJobs}}));
  EXPECT_EQ(Job("b", 3001).outcome.reason.by, "bob");
  EXPECT_GT(Job("b", 3001).ended_at, 0);
}

TEST_F(WholeBatchTest, FaultH4ACancelOfTheWholeKeepsWhatAttemptsThereWere) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  launcher_->Exit(first, ExitStatus::Exited(1));
  const auto second = launcher_->WaitLaunched(2).key;
  UntilState("b", first.index, JobState::kFailed);
  ASSERT_TRUE(Hold("b").ok());
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = first.index}, false, done); }), 1u);
  ASSERT_TRUE(Hold("b", first.index).ok());
  EXPECT_EQ(Cancel("b")->cancelled, 3u);
  launcher_->Exit(second, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  const auto job = Job("b", first.index);
  EXPECT_EQ(job.outcome.state, JobState::kCancelled);
  EXPECT_EQ(job.attempt, 1u);
  EXPECT_GT(job.started_at, 0);
}

}  // namespace
}  // namespace jobd::worker
