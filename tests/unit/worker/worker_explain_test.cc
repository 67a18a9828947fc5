// Why jobs wait, asked of a whole worker: that each part is asked, and what is kept over a restart. All reasons and their order:
// plan/waits_test.cc.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class WorkerExplainTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  // Of one job, as a reader of the store sees it now.
  WaitReasons Waits(const std::string& id, uint32_t index) {
    const auto page = worker_->GetBatch({.batch = {"ann", id}, .index = index});
    if (!page.ok()) return {};
    const JobView& job = page->jobs.at(0);
    const WaitQuery query{.batch = page->batch.id,
                          .jobs = {{.index = index, .state = job.outcome.state, .since = job.waits_since, .held_by = job.held_by}}};
    const auto all = Await<std::vector<WaitReasons>>([&](auto done) { worker_->Explain(query, done); });
    return all.ok() ? all->at(0) : WaitReasons{};
  }
  WaitReason Main(const std::string& id, uint32_t index) {
    const WaitReasons waits = Waits(id, index);
    return waits.empty() ? WaitReason{} : waits.front();
  }
};

TEST_F(WorkerExplainTest, FaultC1WhatIsBeforeItAndTheSlots) {
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  ASSERT_TRUE(Submit("c", Jobs(1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  launcher_->WaitLaunched(2);
  const base::Nanos since = Batch("c").created_at;
  EXPECT_EQ(Waits("c", 1), (WaitReasons{{.code = WaitCode::kTurn, .since = since, .before = 2},
                                        {.code = WaitCode::kServiceSlots, .since = since, .used = 2, .max = 2}}));
  EXPECT_EQ(Main("b", 3).code, WaitCode::kServiceSlots);
  EXPECT_TRUE(Waits("b", 1).empty()) << "it runs";
  launcher_->Exit(first, ExitStatus::Exited(0));
  UntilState("b", 1, JobState::kSucceeded);
  EXPECT_TRUE(Waits("b", 1).empty()) << "it has ended";
}

TEST_F(WorkerExplainTest, FaultC1TheOwnersLimitAndTheBatchsParallel) {
  limits_.quotas["ann"] = {.max_running = 1};
  worker_->SetLimits(limits_);
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  launcher_->WaitLaunched(1);
  const WaitReason limit = Main("b", 2);
  EXPECT_EQ(limit.code, WaitCode::kUserLimit);
  EXPECT_EQ(limit.max, 1u);
  limits_.quotas.clear();
  limits_.quotas["ann"] = {};
  worker_->SetLimits(limits_);
  launcher_->WaitLaunched(2);
  limits_.max_running = 8;
  worker_->SetLimits(limits_);
  ASSERT_TRUE(Submit("p", Jobs(2), {.parallel = 1}).ok());
  launcher_->WaitLaunched(3);
  EXPECT_EQ(Main("p", 2).code, WaitCode::kBatchParallel);
}

TEST_F(WorkerExplainTest, FaultC1WhoHeldItSinceWhenAndAfterARestart) {
  ASSERT_TRUE(Submit("b", Jobs(2), {.hold = true}).ok());
  EXPECT_EQ(Main("b", 1), (WaitReason{.code = WaitCode::kHeld, .since = Batch("b").created_at, .by = "ann"}))
      << "who submits it held holds it";
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}}, done); }).ok());
  ASSERT_TRUE(Submit("c", Jobs(2)).ok());
  launcher_->WaitLaunched(2);
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "c"}}, "carl", done); }).ok());
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "c"}, .index = 1}, done); }).ok());
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "c"}, .index = 1}, "bob", done); }).ok());
  const WaitReason one = Main("c", 1);
  EXPECT_EQ(one.by, "bob");
  EXPECT_GT(one.since, Batch("c").created_at);
  EXPECT_EQ(Main("c", 2).by, "carl");
  Restart();
  EXPECT_EQ(Main("c", 1), one);
  EXPECT_EQ(Main("c", 2).by, "carl");
}

TEST_F(WorkerExplainTest, FaultC1WhoStoppedTheServiceAndAfterARestart) {
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Stop(false, "root", done); }).ok());
  EXPECT_FALSE(Submit("b", Jobs(1)).ok());
  ASSERT_TRUE(Await<ServiceState>([&](auto done) { worker_->Start(done); }).ok());
  ASSERT_TRUE(Submit("b", Jobs(3)).ok());
  launcher_->WaitLaunched(2);
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Stop(false, "root", done); }).ok());
  const WaitReason stopped = Main("b", 3);
  EXPECT_EQ(stopped.code, WaitCode::kServiceStopped);
  EXPECT_EQ(stopped.by, "root");
  EXPECT_GT(stopped.since, 0);
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Stop(false, "other", done); }).ok());
  EXPECT_EQ(Main("b", 3), stopped) << "it was stopped already";
  EXPECT_EQ(worker_->GetStatus().state_by, "root");
  Restart();
  EXPECT_EQ(Main("b", 3), stopped);
  EXPECT_EQ(worker_->GetStatus().state_since, stopped.since);
}

TEST_F(WorkerExplainTest, FaultC18WhoDrainsIsKnownAndForgottenWithTheStart) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  ASSERT_EQ(*Await<ServiceState>([&](auto done) { worker_->Drain("root", done); }), ServiceState::kDraining);
  EXPECT_EQ(worker_->GetStatus().state_by, "root");
  launcher_->Exit(launcher_->WaitLaunched(1).key, ExitStatus::Exited(0));
  UntilEnded("b");
  while (worker_->GetStatus().state != ServiceState::kStopped) std::this_thread::yield();
  EXPECT_EQ(worker_->GetStatus().state_by, "root");
  ASSERT_TRUE(Await<ServiceState>([&](auto done) { worker_->Start(done); }).ok());
  while (worker_->GetStatus().state != ServiceState::kRunning) std::this_thread::yield();
  EXPECT_EQ(worker_->GetStatus().state_by, "");
  EXPECT_EQ(worker_->GetStatus().state_since, 0);
}

TEST_F(WorkerExplainTest, WhatIsLeftOfItsLastAttempt) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto key = launcher_->WaitLaunched(1).key;
  launcher_->Ended(key, {.exit = ExitStatus::Exited(1)});
  UntilState("b", 1, JobState::kQueued);
  EXPECT_EQ(Main("b", 1).code, WaitCode::kRecovering);
  launcher_->Release(key);
  launcher_->WaitLaunched(2);
}

TEST_F(WorkerExplainTest, FaultWhatTheMachineLackedForItsStart) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  WaitReason main;
  // It is asked while the job rests, which on a slow machine may be over by then.
  for (size_t start = 1; start < 10 && main.code != WaitCode::kResource; ++start) {
    launcher_->NotStarted(launcher_->WaitLaunched(start).key,
                          {.retryable = true, .number_used = true, .text = "making the pipes: Too many open files"});
    UntilState("b", 1, JobState::kQueued);
    main = Main("b", 1);
  }
  EXPECT_EQ(main.code, WaitCode::kResource);
  EXPECT_EQ(main.lacked, "making the pipes: Too many open files");
}

TEST_F(WorkerExplainTest, AListNamesTheFirstCommand) {
  ASSERT_TRUE(Submit("b", {{.argv = {"make", "-j4"}}, {.argv = {"true"}}}).ok());
  ASSERT_TRUE(Submit("c", {{.argv = {std::string(1000, 'x'), "more"}, .shell = true}}).ok());
  const auto page = worker_->ListBatches({});
  const JobSummary& cut = page->batches.at(0).first_job;
  EXPECT_TRUE(cut.cut && cut.shell);
  EXPECT_EQ(cut.argv, std::vector<std::string>{std::string(256, 'x')});
  EXPECT_EQ(page->batches.at(1).first_job.argv, (std::vector<std::string>{"make", "-j4"}));
  EXPECT_FALSE(page->batches.at(1).first_job.cut);
}

TEST_F(WorkerExplainTest, FaultC23WhatWasAskedForAndWhatIsInForce) {
  limits_.default_timeout = 60 * base::kNanosPerSecond;
  limits_.default_profile = "open";
  worker_->SetLimits(limits_);
  JobSpec spec{.argv = {"true"}, .env = {{"A", "1"}}, .stdin_data = "four"};
  spec.limits.pids = 7;
  ASSERT_TRUE(Submit("b", {spec}, {.hold = true}).ok());
  const auto page = worker_->GetBatch({.batch = {"ann", "b"}, .with_settings = true});
  const JobView& job = page->jobs.at(0);
  ASSERT_TRUE(job.asked && job.in_force);
  EXPECT_EQ(job.asked->timeout, 0);
  EXPECT_EQ(job.asked->profile, "");
  EXPECT_EQ(job.asked->limits.pids, 7u);
  EXPECT_EQ(job.stdin_bytes, 4u);
  EXPECT_TRUE(job.asked->stdin_data.empty());
  EXPECT_EQ(job.in_force->timeout, 60 * base::kNanosPerSecond);
  EXPECT_EQ(job.in_force->profile, "open");
  EXPECT_EQ(job.in_force->workdir, "/");
  EXPECT_EQ(job.in_force->env.size(), 1u);
  EXPECT_FALSE(worker_->GetBatch({.batch = {"ann", "b"}})->jobs.at(0).asked) << "who did not ask for it";
}

}  // namespace
}  // namespace jobd::worker
