// Jobs from submission to their end, with a launcher that the test plays.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;
using launch::EndCause;

class WorkerRunTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  // Submits batch b of four jobs and does something behind the planner's picks and before their commit: the answer comes on the
  // loop, where both have just been decided and nothing has been handed to the store.
  void WhileRecording(std::function<void()> work) {
    worker_->Submit({.owner = "ann"}, {.correlation_id = "b"}, Jobs(4),
                    [work = std::move(work)](const base::Result<Receipt>&) { work(); });
  }
};

TEST_F(WorkerRunTest, OneJobRunsToItsEnd) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  EXPECT_EQ(request.argv, std::vector<std::string>{"true"});
  EXPECT_EQ(request.workdir, "/");
  EXPECT_EQ(request.key.attempt, 1u);
  launcher_->Running(request.key);
  UntilState("b", 1, JobState::kRunning);
  launcher_->Exit(request.key, ExitStatus::Exited(3));
  UntilEnded("b");
  const JobView job = Job("b", 1);
  EXPECT_EQ(job.outcome.state, JobState::kFailed);
  EXPECT_EQ(job.outcome.exit_code, 3);
  EXPECT_EQ(job.outcome.reason.text, "exit 3");
  EXPECT_EQ(Batch("b").state, JobState::kFailed);
}

TEST_F(WorkerRunTest, ShellIsSpelledOutAndPathIsGiven) {
  ASSERT_TRUE(Submit("b", {{.argv = {"echo $1", "x"}, .shell = true}}).ok());
  const auto request = launcher_->WaitLaunched(1);
  EXPECT_EQ(request.argv, (std::vector<std::string>{"/bin/sh", "-c", "echo $1", "sh", "x"}));
  EXPECT_EQ(request.env, (std::vector<std::pair<std::string, std::string>>{{"PATH", "/bin"}}));
}

TEST_F(WorkerRunTest, ManyJobsRunWithinTheSlots) {
  launcher_->RunAtOnce();
  ASSERT_TRUE(Submit("b", Jobs(500)).ok());
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kSucceeded, 500}}));
  EXPECT_EQ(launcher_->launched(), 500u);
}

TEST_F(WorkerRunTest, NoMoreThanMaxRunningAreLaunched) {
  ASSERT_TRUE(Submit("b", Jobs(10)).ok());
  const auto first = launcher_->WaitLaunched(1);
  launcher_->WaitLaunched(2);
  for (uint32_t index = 3; index <= 10; ++index) EXPECT_EQ(Job("b", index).outcome.state, JobState::kQueued);
  EXPECT_EQ(launcher_->launched(), 2u);
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  EXPECT_EQ(launcher_->WaitLaunched(3).key.index, 3u);
}

TEST_F(WorkerRunTest, UrgentJobsOvertakeThoseThatWaitForASlot) {
  ASSERT_TRUE(Submit("b", Jobs(6)).ok());
  const auto first = launcher_->WaitLaunched(1);
  launcher_->WaitLaunched(2);
  ASSERT_TRUE(Submit("u", Jobs(1), {.priority = Priority::kUrgent}).ok());
  EXPECT_EQ(Job("u", 1).outcome.state, JobState::kQueued);
  launcher_->Exit(first.key, ExitStatus::Exited(0));
  EXPECT_EQ(launcher_->WaitLaunched(3).correlation_id, "u");
}

TEST_F(WorkerRunTest, FailFastCancelsTheRest) {
  ASSERT_TRUE(Submit("b", Jobs(20), {.fail_fast = true}).ok());
  const auto one = launcher_->WaitLaunched(1);
  const auto two = launcher_->WaitLaunched(2);
  launcher_->Exit(one.key, ExitStatus::Exited(1));
  EXPECT_EQ(launcher_->WaitCancelled(1), two.key);
  launcher_->Exit(two.key, ExitStatus::Signaled(15), EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", 2).outcome.reason.code, ReasonCode::kFailFast);
  EXPECT_EQ(Job("b", 20).outcome.reason.code, ReasonCode::kFailFast);
  EXPECT_EQ(Job("b", 20).attempt, 0u);
  EXPECT_EQ(Batch("b").counts[JobState::kCancelled], 19u);
  EXPECT_EQ(Batch("b").state, JobState::kFailed);
}

TEST_F(WorkerRunTest, FaultAFailFastTellsEachOfTheOthersOnce) {
  auto limits = limits_;
  limits.max_running = 4;
  worker_->SetLimits(limits);
  ASSERT_TRUE(Submit("b", Jobs(4), {.fail_fast = true}).ok());
  std::vector<launch::JobKey> keys;
  for (size_t n = 1; n <= 4; ++n) keys.push_back(launcher_->WaitLaunched(n).key);
  launcher_->Exit(keys[0], ExitStatus::Exited(1));
  launcher_->WaitCancelled(3);
  for (size_t n = 1; n < 4; ++n) launcher_->Exit(keys[n], ExitStatus::Signaled(15), EndCause::kCancel);
  UntilEnded("b");
  (void)Cancel("b");  // behind whatever their ends led to
  EXPECT_EQ(launcher_->cancelled(), 3u);
}

TEST_F(WorkerRunTest, RetriesAreUsedUpBeforeTheJobFails) {
  ASSERT_TRUE(Submit("b", Jobs(1, 2)).ok());
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    const auto request = launcher_->WaitLaunched(attempt);
    EXPECT_EQ(request.key.attempt, attempt);
    EXPECT_FALSE(IsFinal(Job("b", 1).outcome.state));
    launcher_->Exit(request.key, ExitStatus::Exited(1));
  }
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kFailed);
  EXPECT_EQ(Job("b", 1).attempt, 3u);
}

TEST_F(WorkerRunTest, NextAttemptWaitsUntilNothingIsLeftOfTheLast) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->Ended(request.key, {.exit = ExitStatus::Exited(1)});
  Until("b", [&] { return Job("b", 1).outcome.state == JobState::kQueued; });
  EXPECT_EQ(launcher_->launched(), 1u);
  launcher_->Release(request.key);
  EXPECT_EQ(launcher_->WaitLaunched(2).key.attempt, 2u);
}

TEST_F(WorkerRunTest, ALostAttemptIsTheJobsEnd) {
  ASSERT_TRUE(Submit("b", Jobs(1, 5)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->Running(request.key);
  launcher_->Lose(request.key, ShimDied());
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kLost);
  EXPECT_EQ(Job("b", 1).outcome.reason.text, "its shim was killed");
  EXPECT_EQ(launcher_->launched(), 1u);
}

TEST_F(WorkerRunTest, RefusalByPolicyFailsTheJob) {
  ASSERT_TRUE(Submit("b", Jobs(1, 3)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->NotStarted(request.key, {.text = "running as root is not allowed"});
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kFailed);
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kRefused);
  EXPECT_EQ(Job("b", 1).outcome.reason.text, "running as root is not allowed");
}

TEST_F(WorkerRunTest, RefusalForWantOfSomethingIsTriedAgainAsTheSameAttempt) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->NotStarted(request.key, {.retryable = true, .text = "no processes left"});
  EXPECT_EQ(launcher_->WaitLaunched(2).key, request.key);
}

TEST_F(WorkerRunTest, AStartThatUsedUpItsNumberIsFollowedByAnotherAttempt) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->NotStarted(request.key, {.retryable = true, .number_used = true, .text = "no process"});
  const auto again = launcher_->WaitLaunched(2);
  EXPECT_EQ(again.key.attempt, 2u);
  launcher_->Exit(again.key, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
}

TEST_F(WorkerRunTest, AJobThatWaitsForAProcessCanBeCancelled) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->NotStarted(launcher_->WaitLaunched(1).key, {.retryable = true, .number_used = true, .text = "no process"});
  UntilState("b", 1, JobState::kQueued);
  ASSERT_TRUE(Cancel("b").ok());
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kCancelled);
  EXPECT_EQ(launcher_->launched(), 1u);
}

TEST_F(WorkerRunTest, AnotherFailedStepIsTheJobsEnd) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->End(launcher_->WaitLaunched(1).key,
                 {.cause = EndCause::kSetupFailed, .step = launch::Step::kExec, .step_errno = ENOMEM});
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kFailed);
}

TEST_F(WorkerRunTest, CancelInTheQueueEndsAtOnce) {
  ASSERT_TRUE(Submit("b", Jobs(3), {.hold = true}).ok());
  const auto counts = Cancel("b", 2);
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->cancelled, 1u);
  EXPECT_EQ(Job("b", 2).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("b", 2).outcome.reason.text, "cancelled by bob: enough");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kHeld);
  EXPECT_EQ(Cancel("b")->cancelled, 2u);
  EXPECT_EQ(Batch("b").state, JobState::kCancelled);
  EXPECT_NE(Batch("b").ended_at, 0);
}

TEST_F(WorkerRunTest, JobsThatWaitForASlotAreQueuedOnDisk) {
  ASSERT_TRUE(Submit("b", Jobs(10)).ok());
  launcher_->WaitLaunched(2);
  (void)Cancel("b", 10);  // goes through the loop, and a commit, behind whatever the launches led to
  auto rows = Database::Open(dir_ / "state/jobd.db", false)->QueryInt("SELECT count(*) FROM jobs WHERE state = 4");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(*rows, 2);
}

TEST_F(WorkerRunTest, CancelWhileTheStartIsBeingRecordedIsNotLost) {
  const auto counts = Await<CancelCounts>([&](auto done) {
    WhileRecording([this, done] { worker_->Cancel({.batch = {"ann", "b"}, .index = 1}, "bob", "enough", std::nullopt, done); });
  });
  EXPECT_EQ(counts->cancelled, 1u);
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("b", 1).attempt, 0u);
  EXPECT_EQ(launcher_->WaitLaunched(2).key.index, 3u);
}

TEST_F(WorkerRunTest, HoldWhileTheStartIsBeingRecordedTakesItBack) {
  const auto held = Await<uint32_t>([&](auto done) {
    WhileRecording([this, done] { worker_->Hold({.batch = {"ann", "b"}}, "bob", done); });
  });
  EXPECT_EQ(*held, 4u);
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kHeld, 4}}));
  EXPECT_EQ(launcher_->launched(), 0u);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}}, done); }), 4u);
  EXPECT_EQ(launcher_->WaitLaunched(1).key.attempt, 1u);
}

TEST_F(WorkerRunTest, StopWhileTheStartIsBeingRecordedLeavesItQueued) {
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { WhileRecording([this, done] { worker_->Stop(false, "root", done); }); }).ok());
  Until("b", [&] { return Batch("b").counts == std::map<JobState, uint32_t>{{JobState::kQueued, 4}}; });
  EXPECT_EQ(launcher_->launched(), 0u);
  ASSERT_TRUE(Await<ServiceState>([&](auto done) { worker_->Start(done); }).ok());
  EXPECT_EQ(launcher_->WaitLaunched(2).key.attempt, 1u);
}

TEST_F(WorkerRunTest, CancelOfARunningJobNamesWhoAndWhy) {
  ASSERT_TRUE(Submit("b", Jobs(1, 3)).ok());
  const auto request = launcher_->WaitLaunched(1);
  launcher_->Running(request.key);
  EXPECT_EQ(Cancel("b")->stopping, 1u);
  EXPECT_EQ(launcher_->WaitCancelled(1), request.key);
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kStopping);
  launcher_->Exit(request.key, ExitStatus::Signaled(15), EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("b", 1).outcome.signal, 15);
  EXPECT_EQ(Job("b", 1).outcome.reason.text, "cancelled by bob: enough");
}

TEST_F(WorkerRunTest, SignalReachesRunningJobsAlone) {
  ASSERT_TRUE(Submit("b", Jobs(5)).ok());
  const auto first = launcher_->WaitLaunched(1);
  launcher_->WaitLaunched(2);  // and has no program yet
  launcher_->Running(first.key);
  UntilState("b", 1, JobState::kRunning);
  const auto signalled = Await<uint32_t>([&](auto done) { worker_->Signal({.batch = {"ann", "b"}}, 10, done); });
  EXPECT_EQ(*signalled, 1u);
  EXPECT_EQ(launcher_->signals().size(), 1u);
  for (const int bad : {0, -1, 65}) {
    const auto refused = Await<uint32_t>([&](auto done) { worker_->Signal({.batch = {"ann", "b"}}, bad, done); });
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), base::Code::kInvalidArgument);
  }
}

TEST_F(WorkerRunTest, StoppedServiceRefusesAndStartsNothing) {
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Stop(false, "root", done); }).ok());
  const auto refused = Submit("b", Jobs(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kFailedPrecondition);
  Restart();
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kStopped);
  ASSERT_TRUE(Await<ServiceState>([&](auto done) { worker_->Start(done); }).ok());
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->WaitLaunched(1);
}

TEST_F(WorkerRunTest, StopNowCancelsEverything) {
  ASSERT_TRUE(Submit("b", Jobs(10)).ok());
  const auto one = launcher_->WaitLaunched(1);
  const auto two = launcher_->WaitLaunched(2);
  const auto count = Await<uint32_t>([&](auto done) { worker_->Stop(true, "root", done); });
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(*count, 10u);
  launcher_->WaitCancelled(2);
  launcher_->Exit(one.key, ExitStatus::Signaled(15), EndCause::kCancel);
  launcher_->Exit(two.key, ExitStatus::Signaled(15), EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts[JobState::kCancelled], 10u);
  EXPECT_EQ(Job("b", 9).outcome.reason.code, ReasonCode::kCancelledByStop);
}

TEST_F(WorkerRunTest, DrainBecomesStoppedWhenNothingIsLeft) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  EXPECT_EQ(*Await<ServiceState>([&](auto done) { worker_->Drain("bob", done); }), ServiceState::kDraining);
  EXPECT_FALSE(Submit("c", Jobs(1)).ok());
  launcher_->Exit(request.key, ExitStatus::Exited(0));
  UntilEnded("b");
  // Another request goes through the loop behind what ended the drain.
  (void)Cancel("b");
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kStopped);
}

TEST_F(WorkerRunTest, EndsOfManyRunningJobsAreSeenBeforeTheyAreReleased) {
  auto limits = limits_;
  limits.max_running = 600;
  worker_->SetLimits(limits);
  ASSERT_TRUE(Submit("b", Jobs(600)).ok());
  launcher_->WaitLaunched(600);
  const auto key = [](uint32_t index) { return launch::JobKey{.batch = 1, .index = index, .attempt = 1}; };
  for (uint32_t index = 1; index <= 600; ++index) launcher_->Running(key(index));
  Until("b", [&] { return Batch("b").counts == std::map<JobState, uint32_t>{{JobState::kRunning, 600}}; });
  for (uint32_t index = 1; index <= 600; index += 2) {
    launcher_->Ended(key(index), {});
  }
  Until("b", [&] { return Batch("b").counts[JobState::kSucceeded] == 300; });
  EXPECT_EQ(Batch("b").counts[JobState::kRunning], 300u);
}

TEST_F(WorkerRunTest, BatchesAreListedByState) {
  ASSERT_TRUE(Submit("held", Jobs(1), {.hold = true}).ok());
  for (const int code : {0, 1, 0, 1}) {
    const std::string id = "b" + std::to_string(launcher_->launched());
    ASSERT_TRUE(Submit(id, Jobs(1)).ok());
    launcher_->Exit(launcher_->WaitLaunched(launcher_->launched() + 1).key, ExitStatus::Exited(code));
    UntilEnded(id);
  }
  ASSERT_TRUE(Submit("running", Jobs(1)).ok());
  launcher_->WaitLaunched(5);
  const auto list = [&](std::vector<JobState> states, std::optional<std::string> owner, uint32_t page_size) {
    BatchQuery query{.owner = std::move(owner), .states = std::move(states), .page_size = page_size};
    std::string names;
    for (;;) {
      const auto page = worker_->ListBatches(query);
      EXPECT_TRUE(page.ok());
      if (!page.ok()) return names;
      for (const auto& batch : page->batches) names += batch.name.correlation_id + " ";
      if (page->next_page_token.empty()) return names;
      query.page_token = page->next_page_token;
    }
  };
  for (const uint32_t page_size : {1u, 2u, 100u}) {
    EXPECT_EQ(list({JobState::kFailed}, "ann", page_size), "b3 b1 ");
    EXPECT_EQ(list({JobState::kFailed, JobState::kSucceeded, JobState::kFailed}, "ann", page_size), "b3 b2 b1 b0 ");
    EXPECT_EQ(list({JobState::kQueued, JobState::kRunning}, std::nullopt, page_size), "running ");
    EXPECT_EQ(list({JobState::kHeld}, std::nullopt, page_size), "held ");
    EXPECT_EQ(list({JobState::kFailed}, "eve", page_size), "");
    EXPECT_EQ(list({}, "ann", page_size), "running b3 b2 b1 b0 held ");
  }
}

TEST_F(WorkerRunTest, PruneGoesThroughTheWholeHistoryAndSparesWhatLives) {
  constexpr uint32_t kEnded = 150;
  launcher_->RunAtOnce();
  for (uint32_t i = 0; i < kEnded; ++i) ASSERT_TRUE(Submit("b" + std::to_string(i), Jobs(1)).ok());
  for (uint32_t i = 0; i < kEnded; ++i) UntilEnded("b" + std::to_string(i));
  ASSERT_TRUE(Submit("held", Jobs(1), {.hold = true}).ok());
  ASSERT_TRUE(Submit("eves", Jobs(1), {.hold = true}, "eve").ok());
  (void)Cancel("b0");  // behind the reports that the shims are gone
  const auto prune = [&](const std::string& owner, base::Nanos older_than, bool dry_run) {
    return Await<Pruned>([&](auto done) { worker_->Prune(owner, older_than, dry_run, done); })->batches;
  };
  EXPECT_EQ(prune("ann", 3600 * base::kNanosPerSecond, false), 0u);
  EXPECT_EQ(prune("eve", 0, false), 0u);
  EXPECT_EQ(prune("ann", 0, true), kEnded);
  EXPECT_EQ(prune("", 0, true), kEnded);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "logs/ann/b149"));
  EXPECT_EQ(prune("ann", 0, false), kEnded);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "logs/ann/b149"));
  EXPECT_EQ(prune("", 0, false), 0u);
  EXPECT_EQ(Job("held", 1).outcome.state, JobState::kHeld);
}

TEST_F(WorkerRunTest, RemoveForgetsRowsAndFiles) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto request = launcher_->WaitLaunched(1);
  const auto early = Await<bool>([&](auto done) { worker_->Remove({"ann", "b"}, done); });
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code(), base::Code::kFailedPrecondition);
  launcher_->Exit(request.key, ExitStatus::Exited(0));
  UntilEnded("b");
  (void)Cancel("b");  // behind the report that the shim is gone
  ASSERT_TRUE(std::filesystem::exists(dir_ / "logs/ann/b"));
  EXPECT_TRUE(*Await<bool>([&](auto done) { worker_->Remove({"ann", "b"}, done); }));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "logs/ann/b"));
  EXPECT_EQ(worker_->GetBatch({.batch = {"ann", "b"}}).error().code(), base::Code::kNotFound);
}

}  // namespace
}  // namespace jobd::worker
