// A state disk that hangs, is full, or whose database goes: what runs can be ended, and everybody is told.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>
#include <utility>

#include "tests/support/await.h"
#include "tests/unit/worker/disk_gate.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

using base::Code;
using base::ExitStatus;

class WorkerDiskTest : public WorkerTest {
 protected:
  void SetUp() override {
    answer_within_ = base::kNanosPerSecond / 20;
    ASSERT_TRUE(Open().ok());
  }
  void Sql(const std::string& sql) {
    auto database = Database::Open(dir_ / "state/jobd.db", false);
    ASSERT_TRUE(database.ok());
    const base::Status done = database->Execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  // Something is being committed, and does not come to its end.
  void HangBehind(test::DiskGate& gate) {
    worker_->Start([](const base::Result<ServiceState>&) {});
    gate.WaitForOne();
  }
  void UntilStatus(const std::string& problem) {
    while (worker_->GetStatus().disks[0].problem != problem) std::this_thread::yield();
  }
};

TEST_F(WorkerDiskTest, FaultD8WhatRunsIsEndedWhileTheStateDiskHangs) {
  ASSERT_TRUE(Submit("b", Jobs(3)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  launcher_->Running(first);
  launcher_->Running(second);
  test::DiskGate gate;
  HangBehind(gate);
  std::promise<base::Result<CancelCounts>> answer;
  worker_->Cancel({.batch = {"ann", "b"}, .index = first.index}, "bob", "", std::nullopt,
                  [&](base::Result<CancelCounts> counts) { answer.set_value(std::move(counts)); });
  EXPECT_EQ(launcher_->WaitCancelled(1), first) << "without the disk";
  const auto counts = test::Await(answer.get_future());
  ASSERT_FALSE(counts.ok());
  EXPECT_EQ(counts.error().code(), Code::kUnavailable) << counts.error().message();
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Signal({.batch = {"ann", "b"}, .index = second.index}, 10, done); }), 1u);
  std::promise<base::Result<uint32_t>> stopped;
  worker_->Stop(true, "bob", [&](base::Result<uint32_t> jobs) { stopped.set_value(std::move(jobs)); });
  launcher_->WaitCancelled(3);
  EXPECT_EQ(test::Await(stopped.get_future()).error().code(), Code::kUnavailable);
  gate.Open();
  for (const auto& key : {first, second}) launcher_->Exit(key, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  for (const uint32_t index : {1u, 2u, 3u}) EXPECT_EQ(Job("b", index).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("b", first.index).outcome.reason.by, "bob");
}

TEST_F(WorkerDiskTest, FaultD8ASubmissionDelaysNoCancelWhileTheLogDiskHangs) {
  answer_within_ = WorkerOptions{}.answer_within;
  Restart();
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto running = launcher_->WaitLaunched(1).key;
  launcher_->Running(running);
  launcher_->HangLogDisk(true);
  ASSERT_TRUE(Submit("c", Jobs(3)).ok()) << "the state disk has it";
  launcher_->WaitOpening(2);
  EXPECT_EQ(Cancel("b")->stopping, 1u);
  EXPECT_EQ(launcher_->WaitCancelled(1), running);
  EXPECT_EQ(Cancel("c", 2)->cancelled, 1u) << "what waits for the disk can be cancelled, too";
  launcher_->PingAndWait();
  while (worker_->GetStatus().disks[1].problem != "not answering") std::this_thread::yield();
  EXPECT_EQ(worker_->GetStatus().disks[0].problem, "");
  EXPECT_EQ(Submit("e", Jobs(1)).error().message(), "the log disk does not answer");
  launcher_->Exit(running, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  launcher_->HangLogDisk(false);
  launcher_->Exit(launcher_->WaitLaunched(2).key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(3).key, ExitStatus::Exited(0));
  UntilEnded("c");
  EXPECT_EQ(worker_->GetStatus().disks[1].problem, "");
}

// Nobody has asked after the disk before: who submits waits until it is known.
TEST_F(WorkerDiskTest, FaultD8TheFirstWhoSubmitsWhileTheLogDiskHangsIsRefused) {
  answer_within_ = WorkerOptions{}.answer_within;
  Restart();
  launcher_->HangLogDisk(true);
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->WaitOpening(1);
  ASSERT_TRUE(Submit("b2", Jobs(1)).ok());
  launcher_->WaitOpening(2);
  // It may have answered a moment before.
  auto receipt = Submit("c", Jobs(1));
  for (int i = 0; receipt.ok() && i < 10'000; ++i) receipt = Submit("c" + std::to_string(i), Jobs(1));
  ASSERT_FALSE(receipt.ok());
  EXPECT_EQ(receipt.error().message(), "the log disk does not answer");
  EXPECT_EQ(receipt.error().code(), Code::kUnavailable);
  EXPECT_EQ(worker_->GetStatus().disks[1].problem, "not answering");
  launcher_->HangLogDisk(false);
}

TEST_F(WorkerDiskTest, FaultD8ACancelBehindARetryTellsEachJobOnce) {
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  launcher_->Running(second);
  launcher_->Exit(first, ExitStatus::Exited(1));
  Until("b", [&] { return Job("b", first.index).outcome.state == JobState::kFailed; });
  test::DiskGate gate;
  HangBehind(gate);
  worker_->Retry({.batch = {"ann", "b"}}, true, [](const base::Result<uint32_t>&) {});
  worker_->Cancel({.batch = {"ann", "b"}}, "bob", "", std::nullopt, [](const base::Result<CancelCounts>&) {});
  EXPECT_EQ(launcher_->WaitCancelled(1), second);
  gate.Open();
  Until("b", [&] { return Job("b", first.index).outcome.state == JobState::kCancelled; });
  EXPECT_EQ(launcher_->cancelled(), 1u);
  launcher_->Exit(second, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", second.index).outcome.state, JobState::kCancelled);
}

TEST_F(WorkerDiskTest, FaultD8WhatNeedsTheDiskIsRefusedInBoundedTimeAndTheStatusNamesIt) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->WaitLaunched(1);
  test::DiskGate gate;
  HangBehind(gate);
  const auto submitted = Submit("c", Jobs(1));
  EXPECT_EQ(submitted.error().code(), Code::kUnavailable);
  UntilStatus("not answering");
  EXPECT_FALSE(worker_->GetStatus().disks[0].accepting);
  EXPECT_EQ(Submit("d", Jobs(1)).error().message(), "the state disk does not answer");
  EXPECT_FALSE(Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "b"}}, "bob", done); }).ok());
  EXPECT_EQ(Batch("b").counts.size(), 1u) << "reading goes on";
  launcher_->PingAndWait();
  gate.Open();
  UntilStatus("");
  EXPECT_TRUE(Submit("c", Jobs(1)).ok()) << "the same, whether or not it was stored";
  EXPECT_TRUE(Submit("d", Jobs(1)).ok());
}

TEST_F(WorkerDiskTest, FaultD16AFullDiskEndsWhatRunsAndRecordsTheRestWhenThereIsRoom) {
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  ASSERT_TRUE(Submit("c", Jobs(2)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  const auto second = launcher_->WaitLaunched(2).key;
  test::FullDisk full;
  const auto cancelled = Cancel("c");
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code(), Code::kResourceExhausted);
  EXPECT_NE(cancelled.error().message().find("2 that wait do not start"), std::string::npos) << cancelled.error().message();
  const auto stopped = Await<uint32_t>([&](auto done) { worker_->Stop(true, "bob", done); });
  ASSERT_FALSE(stopped.ok());
  EXPECT_NE(stopped.error().message().find("not recorded yet"), std::string::npos) << stopped.error().message();
  EXPECT_EQ(launcher_->cancelled(), 2u);
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kStopped);
  EXPECT_EQ(Job("c", 1).outcome.state, JobState::kQueued) << "as on disk";
  full.Clear();
  for (const auto& key : {first, second}) launcher_->Exit(key, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  UntilEnded("c");
  EXPECT_EQ(Batch("c").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, 2}}));
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, 4}}));
  EXPECT_EQ(launcher_->launched(), 2u);
  Restart();
  EXPECT_EQ(worker_->GetStatus().state, ServiceState::kStopped) << "recorded when there was room";
}

// Who cancelled it and why is not lost with this process, when the disk did not take it before.
class KeptReasonTest : public WorkerDiskTest {
 protected:
  // Both jobs of "b" run, were told to end by bob, and are found again so by another process.
  void CancelAndRestart(FakeFate fate) {
    ASSERT_TRUE(Submit("b", Jobs(2)).ok());
    const auto first = launcher_->WaitLaunched(1).key;
    const auto second = launcher_->WaitLaunched(2).key;
    launcher_->Running(first);
    launcher_->Running(second);
    std::map<launch::JobKey, Reason> kept;
    {
      test::FullDisk full;
      (void)Cancel("b");
      kept = launcher_->WaitKeptReasons(2);
      worker_.reset();
    }
    launcher_ = std::make_unique<FakeLauncher>(logs_.get());
    launcher_->UseKeptReasons(std::move(kept));
    for (const auto& key : {first, second}) launcher_->LeaveBehind(key, fate);
    ASSERT_TRUE(Open().ok());
  }
};

TEST_F(KeptReasonTest, FaultF4WhoCancelledAndWhyIsKnownOfWhatEndedMeanwhile) {
  CancelAndRestart(launch::SlotRecord{.cause = launch::EndCause::kCancel, .exit = ExitStatus::Signaled(15)});
  UntilEnded("b");
  for (const uint32_t index : {1u, 2u}) {
    EXPECT_EQ(Job("b", index).outcome.state, JobState::kCancelled);
    EXPECT_EQ(Job("b", index).outcome.reason.by, "bob");
    EXPECT_EQ(Job("b", index).outcome.reason.detail, "enough");
  }
}

TEST_F(KeptReasonTest, FaultF4WhatStillRunsIsToldAgainAndSaysSo) {
  CancelAndRestart(FakeRuns{});
  const auto first = launcher_->WaitCancelled(1);
  for (const auto& earlier : launcher_->recovered()) EXPECT_TRUE(earlier.stopping);
  launcher_->Exit(first, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  launcher_->Exit(launcher_->WaitCancelled(2), ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", first.index).outcome.reason.by, "bob");
}

TEST_F(KeptReasonTest, FaultF4WhatEndedByItselfBeforeSaysThat) {
  CancelAndRestart(launch::SlotRecord{.exit = ExitStatus::Exited(0)});
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
}

TEST_F(KeptReasonTest, FaultF4AStateDiskThatHangsIsNotWaitedFor) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  launcher_->Running(first);
  test::DiskGate gate;
  HangBehind(gate);
  (void)Cancel("b");
  EXPECT_EQ(launcher_->WaitKeptReasons(1).at(first).by, "bob");
  gate.Open();
  launcher_->Exit(first, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
}

TEST_F(WorkerDiskTest, FaultD16WhatWasCancelledOnAFullDiskDoesNotStart) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  test::FullDisk full;
  EXPECT_FALSE(Cancel("b", 2).ok());
  EXPECT_FALSE(Cancel("b", 3).ok());
  launcher_->Exit(first, ExitStatus::Exited(0));
  full.Clear();
  const auto second = launcher_->WaitLaunched(2).key;
  EXPECT_EQ(second.index, 4u);
  launcher_->Exit(second, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kSucceeded, 2}, {JobState::kCancelled, 2}}));
}

TEST_F(WorkerDiskTest, FaultD25ADatabaseThatWasDeletedIsNoticedAndNothingMoreIsTaken) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  std::filesystem::remove(dir_ / "state/jobd.db");
  const auto submitted = Submit("c", Jobs(1));
  ASSERT_FALSE(submitted.ok());
  EXPECT_EQ(submitted.error().code(), Code::kUnavailable);
  EXPECT_NE(submitted.error().message().find("deleted"), std::string::npos) << submitted.error().message();
  EXPECT_EQ(worker_->GetStatus().disks[0].problem, "without its database (deleted or replaced)");
  EXPECT_FALSE(Cancel("b").ok() && Submit("d", Jobs(1)).ok());
  EXPECT_EQ(launcher_->WaitCancelled(1), first) << "what runs can be ended";
}

TEST_F(WorkerDiskTest, FaultD25ADatabaseThatWasReplacedIsNoticed) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  std::filesystem::copy_file(dir_ / "state/jobd.db", dir_ / "state/other");
  std::filesystem::rename(dir_ / "state/other", dir_ / "state/jobd.db");
  EXPECT_NE(Submit("c", Jobs(1)).error().message().find("replaced"), std::string::npos);
}

TEST_F(WorkerDiskTest, FaultD25ALogOfTheDatabaseThatWasDeletedIsNoticed) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  std::filesystem::remove(dir_ / "state/jobd.db-wal");
  EXPECT_NE(Submit("c", Jobs(1)).error().message().find("deleted"), std::string::npos);
}

TEST_F(WorkerDiskTest, FaultLeftoverAJobThatHasEndedOnDiskIsNotLaunched) {
  ASSERT_TRUE(Submit("b", Jobs(4), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  launcher_->Exit(first, ExitStatus::Exited(0));
  const auto second = launcher_->WaitLaunched(2).key;
  // What a cancel of the whole batch leaves that comes between a cancel of this job and its failure.
  Sql("CREATE TEMP TABLE t AS SELECT * FROM jobs WHERE idx = 1; UPDATE t SET idx = 3; INSERT INTO jobs SELECT * FROM t");
  launcher_->Exit(second, ExitStatus::Exited(0));
  EXPECT_EQ(launcher_->WaitLaunched(3).key.index, 4u);
}

}  // namespace
}  // namespace jobd::worker
