// The bounds of an owner, whichever way jobs come to the queue.
#include <gtest/gtest.h>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class WorkerQuotaTest : public WorkerTest {
 protected:
  WorkerQuotaTest() { limits_.max_running = 8; }

  base::Result<Receipt> SubmitAs(Submitter submitter, const std::string& id, size_t jobs, BatchOptions options = {}) {
    options.correlation_id = id;
    return Await<Receipt>([&](auto done) { worker_->Submit(submitter, options, Jobs(jobs), done); });
  }
  base::Result<uint32_t> Retry(const std::string& id) {
    return Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", id}}, false, done); });
  }
  base::Result<uint32_t> Release(const std::string& id) {
    return Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", id}}, done); });
  }
  // Behind whatever the loop has decided so far, and its commits.
  void ThroughTheLoop(const std::string& id) {
    (void)Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", id}, .index = 1}, "bob", done); });
  }
  void SetQuota(OwnerQuota quota) {
    limits_.quotas["ann"] = quota;
    worker_->SetLimits(limits_);
  }
};

TEST_F(WorkerQuotaTest, FaultA13ARetryAfterARestartKeepsWhatTheBatchWasSubmittedWith) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(SubmitAs({.owner = "ann", .max_running = 1}, "b", 4).ok());
  for (size_t n = 1; n <= 4; ++n) launcher_->Exit(launcher_->WaitLaunched(n).key, ExitStatus::Exited(1));
  UntilEnded("b");
  Restart();
  ASSERT_EQ(*Retry("b"), 4u);
  const auto first = launcher_->WaitLaunched(1);
  ThroughTheLoop("b");
  EXPECT_EQ(launcher_->launched(), 1u);
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  launcher_->WaitLaunched(2);
}

TEST_F(WorkerQuotaTest, FaultA13ARestartTakesTheBoundsOfTheUsersFile) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(SubmitAs({.owner = "ann"}, "b", 4, {.hold = true}).ok());
  limits_.quotas["ann"] = {.max_running = 2};
  Restart();
  ASSERT_EQ(*Release("b"), 4u);
  launcher_->WaitLaunched(2);
  ThroughTheLoop("b");
  EXPECT_EQ(launcher_->launched(), 2u);
}

TEST_F(WorkerQuotaTest, FaultA13AReloadHoldsForWhatIsQueuedAlready) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(SubmitAs({.owner = "ann", .max_running = 3}, "b", 6, {.hold = true}).ok());
  SetQuota({.max_running = 1});
  ASSERT_EQ(*Release("b"), 6u);
  launcher_->WaitLaunched(1);
  ThroughTheLoop("b");
  EXPECT_EQ(launcher_->launched(), 1u);
  SetQuota({});
  launcher_->WaitLaunched(6);
}

TEST_F(WorkerQuotaTest, FaultA13ARetryMayQueueNoMoreThanItsOwnerMayHaveQueued) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(SubmitAs({.owner = "ann"}, "b", 3).ok());
  for (size_t n = 1; n <= 3; ++n) launcher_->Exit(launcher_->WaitLaunched(n).key, ExitStatus::Exited(1));
  UntilEnded("b");
  SetQuota({.max_queued = 2});
  const auto refused = Retry("b");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message(), "you may have at most 2 queued jobs, and have 0");
  SetQuota({.max_queued = 3});
  EXPECT_EQ(*Retry("b"), 3u);
}

// Disks are looked at by whoever asks, not by the loop; and what was accepted is answered whatever they say.
TEST_F(WorkerQuotaTest, FaultDiskIsMeasuredByTheCallerAndABoundOnItHoldsAtOnce) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(SubmitAs({.owner = "ann"}, "b", 1, {.hold = true}).ok());
  limits_.min_free_bytes = UINT64_MAX;
  worker_->SetLimits(limits_);
  const auto refused = SubmitAs({.owner = "ann"}, "c", 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message(), "the state disk is almost full");
  const auto repeated = SubmitAs({.owner = "ann"}, "b", 1, {.hold = true});
  ASSERT_TRUE(repeated.ok());
  EXPECT_TRUE(repeated->replayed);
}

TEST_F(WorkerQuotaTest, WhatMayBeAskedForIsWhatTheLauncherCanDoAtTheTimeOfTheLimits) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("before", {{.argv = {"true"}, .profile = "strict"}}).ok());
  launch::Capabilities poor = TestCapabilities();
  poor.profiles[2].missing = true;
  launcher_->UseCapabilities(poor);
  ASSERT_TRUE(Submit("between", {{.argv = {"true"}, .profile = "strict"}}).ok()) << "a reload that is not taken changes nothing";
  worker_->SetLimits(limits_);
  const auto refused = Submit("after", {{.argv = {"true"}, .profile = "strict"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kInvalidArgument);
}

TEST_F(WorkerQuotaTest, FaultA16NoMoreJobsRunThanTheLauncherHasRoomFor) {
  launch::Capabilities capabilities = TestCapabilities();
  capabilities.most_jobs = 2;
  launcher_->UseCapabilities(capabilities);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(worker_->GetStatus().slots, 2u);
  ASSERT_TRUE(Submit("b", Jobs(5)).ok());
  const auto first = launcher_->WaitLaunched(2).key;
  EXPECT_EQ(launcher_->launched(), 2u);
  launcher_->Exit(first, ExitStatus::Exited(0));
  launcher_->WaitLaunched(3);
}

}  // namespace
}  // namespace jobd::worker
