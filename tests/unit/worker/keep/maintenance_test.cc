// The maintenance thread beside a loop that only lends: what it asks, what it does with each answer, and when it is cut short.
#include "worker/keep/maintenance.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/support/await.h"
#include "tests/unit/worker/keep/fake_lender.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
using base::Code;
using Events = std::vector<std::string>;
constexpr base::Nanos kDay = 86'400 * base::kNanosPerSecond;

class MaintenanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = OpenSqliteStore(state_.get(), clock_);
    ASSERT_TRUE(store.ok());
    store_ = std::move(*store);
    lender_ = std::make_unique<FakeLender>(*store_);
  }
  void TearDown() override { maintenance_.reset(); }

  void Begin(const Retention& rules = {}) {
    maintenance_ = std::make_unique<Maintenance>(
        Maintenance::Parts{.store = *store_, .lender = *lender_, .clock = clock_, .log_dir = logs_.get()}, rules, 0);
    maintenance_->Begin();
  }

  // A batch of one job, which has ended and left this output.
  BatchView Ended(const std::string& id, const std::string& output = "some output\n") {
    const auto stored = Await<Stored>([&](auto done) {
      store_->Submit({.name = {"ann", id}, .digest = id, .specs = std::vector<EncodedSpec>(1)}, done);
    });
    EXPECT_TRUE(stored.ok());
    fs::create_directories(Folder(id));
    std::ofstream(Folder(id) / "1.out") << output;
    Commit({PutJob{.batch = stored->id, .index = 1, .row = {.outcome = {.state = JobState::kStarting}, .attempt = 1}}});
    End(stored->id, Move::kOrdinary);
    return *Find(stored->id);
  }
  void End(uint64_t batch, Move move) {
    Commit({PutJob{.batch = batch, .index = 1, .row = {.outcome = {.state = JobState::kSucceeded}, .attempt = 1}, .move = move}});
  }
  // Ends it once more.
  void EndAnew(uint64_t batch) {
    Commit({PutJob{.batch = batch, .index = 1, .row = {.attempt = 1}, .move = Move::kNewAttempt}});
    Commit({PutJob{.batch = batch, .index = 1, .row = {.outcome = {.state = JobState::kStarting}, .attempt = 2}}});
    End(batch, Move::kOrdinary);
  }
  void Commit(std::vector<Change> changes) {
    std::promise<void> done;
    store_->Apply({Write{.changes = std::move(changes), .done = [&](const base::Status& status) {
                           EXPECT_TRUE(status.ok());
                           done.set_value();
                         }}});
    test::WaitFor(done.get_future());
  }
  base::Result<BatchView> Find(uint64_t batch) { return (*store_->Read<RetentionReader>())->Batch(batch); }
  bool IsThere(const BatchView& batch) { return Find(batch.id).ok(); }
  fs::path Folder(const std::string& id) const { return dir_ / "logs/ann" / id; }

  base::Result<bool> Remove(const BatchView& batch) {
    return Await<bool>([&](auto done) { maintenance_->Remove(batch, done); });
  }
  base::Result<Pruned> Prune(bool dry_run = false) {
    return Await<Pruned>([&](auto done) { maintenance_->Prune("ann", 0, dry_run, done); });
  }
  KeptStatus AwaitKept(uint64_t batches, uint64_t undeletable = 0) {
    for (;;) {
      const KeptStatus kept = maintenance_->kept();
      if (kept.batches == batches && kept.undeletable == undeletable && kept.bytes > 0) return kept;
      std::this_thread::yield();
    }
  }
  // What was asked for batches, without the commits of their sizes.
  Events Asked() const {
    Events asked;
    for (std::string& event : lender_->events()) {
      if (event != "commit") asked.push_back(std::move(event));
    }
    return asked;
  }
  static std::string Long() {
    std::string text;
    for (int line = 0; line < 1000; ++line) text += "line " + std::to_string(line) + " of much the same\n";
    return text;
  }

  TempDir dir_;
  base::Fd state_ = dir_.Open("state");
  base::Fd logs_ = dir_.Open("logs");
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<FakeLender> lender_;
  std::unique_ptr<Maintenance> maintenance_;
};

TEST_F(MaintenanceTest, FaultH2WhyTheFilesStayIsSaid) {
  const BatchView batch = Ended("a");
  Begin();
  // A file where the folder of the owner should be.
  fs::remove_all(dir_ / "logs/ann");
  std::ofstream(dir_ / "logs/ann") << "in the way";
  const auto refused = Remove(batch);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kUnavailable);
  EXPECT_NE(refused.error().message().find("Not a directory"), std::string::npos) << refused.error().message();
  EXPECT_TRUE(IsThere(batch));
  fs::remove(dir_ / "logs/ann");
  EXPECT_TRUE(Remove(batch).ok());
  EXPECT_FALSE(IsThere(batch));
}

TEST_F(MaintenanceTest, WhatLivesIsNotRemoved) {
  const BatchView batch = Ended("a");
  lender_->SetBusy(batch.id);
  Begin();
  EXPECT_EQ(Remove(batch).error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(IsThere(batch));
  EXPECT_TRUE(fs::exists(Folder("a") / "1.out"));
}

TEST_F(MaintenanceTest, WhatIsLentGoesWithItsFilesInOneCommit) {
  const BatchView batch = Ended("a");
  Begin();
  EXPECT_TRUE(*Remove(batch));
  EXPECT_FALSE(IsThere(batch));
  EXPECT_FALSE(fs::exists(Folder("a")));
  EXPECT_EQ(Asked(), (Events{"borrow to remove", "give back 1"}));
  EXPECT_FALSE(lender_->any_out());
}

TEST_F(MaintenanceTest, WhatIsGoneIsNotFound) {
  const BatchView batch = Ended("a");
  Begin();
  ASSERT_TRUE(*Remove(batch));
  EXPECT_EQ(Remove(batch).error().code(), Code::kNotFound);
}

TEST_F(MaintenanceTest, ABatchThatEndedAnewIsRemovedAllTheSame) {
  const BatchView batch = Ended("a");
  EndAnew(batch.id);
  ASSERT_NE(Find(batch.id)->ended_at, batch.ended_at);
  Begin();
  EXPECT_TRUE(*Remove(batch));
  EXPECT_FALSE(IsThere(batch));
}

TEST_F(MaintenanceTest, AFailedCommitIsToldAndLeavesTheBatchForAnotherAttempt) {
  const BatchView batch = Ended("a");
  lender_->FailCommits(1);
  Begin();
  EXPECT_EQ(Remove(batch).error().code(), Code::kUnavailable);
  EXPECT_TRUE(IsThere(batch));
  EXPECT_FALSE(lender_->any_out());
  EXPECT_TRUE(*Remove(batch));
  EXPECT_FALSE(IsThere(batch));
}

TEST_F(MaintenanceTest, FilesThatCannotBeDeletedKeepTheirRow) {
  const BatchView batch = Ended("a");
  fs::remove_all(Folder("a"));
  fs::create_directory_symlink(dir_.path(), Folder("a"));
  Begin();
  EXPECT_EQ(Remove(batch).error().code(), Code::kUnavailable);
  EXPECT_TRUE(IsThere(batch));
  EXPECT_FALSE(lender_->any_out());
}

TEST_F(MaintenanceTest, RetentionPassesOverWhatLivesAndDeletesNothingInItsPlace) {
  const BatchView alive = Ended("a");
  const BatchView next = Ended("b");
  const BatchView last = Ended("c");
  lender_->SetBusy(alive.id);
  Begin({.all = {.max_batches = 1}});
  AwaitKept(2);
  EXPECT_TRUE(IsThere(alive));
  EXPECT_FALSE(IsThere(next));
  EXPECT_TRUE(IsThere(last));
  EXPECT_FALSE(lender_->any_out());
}

TEST_F(MaintenanceTest, RetentionTriesAgainAfterAFailedCommitWhenABatchEnds) {
  Ended("a");
  Ended("b");
  lender_->FailCommits(1);
  Begin({.all = {.max_batches = 1}});
  lender_->AwaitEvent("give back 1");
  maintenance_->OnBatchEnded();
  EXPECT_EQ(AwaitKept(1).rule.max_batches, 1u);
}

TEST_F(MaintenanceTest, AWallClockThatJumpsYearsOnDeletesNothing) {
  const BatchView batch = Ended("a");
  Begin({.all = {.max_age = kDay}});
  AwaitKept(1);
  clock_.JumpWall(3653 * kDay);
  const BatchView after = Ended("b");
  maintenance_->OnBatchEnded();
  AwaitKept(2);
  EXPECT_TRUE(IsThere(batch) && IsThere(after));
  clock_.Advance(2 * kDay);
  maintenance_->OnBatchEnded();
  AwaitKept(1);
  EXPECT_FALSE(IsThere(batch));
}

TEST_F(MaintenanceTest, APruneGoesBySlicesWithACommitEachAndSurvivesTheFailureOfOne) {
  for (int i = 0; i < 70; ++i) Ended("b" + std::to_string(i));
  lender_->FailCommits(1);
  Begin();
  const auto pruned = Prune();
  ASSERT_TRUE(pruned.ok()) << pruned.error().message();
  EXPECT_EQ(pruned->batches, 6u);
  EXPECT_EQ(Asked(), (Events{"borrow to remove", "give back 64", "borrow to remove", "give back 6"}));
  EXPECT_EQ(Prune()->batches, 64u);
}

TEST_F(MaintenanceTest, APruneThatRemovesNothingTellsWhy) {
  Ended("a");
  lender_->FailCommits(1);
  Begin();
  EXPECT_EQ(Prune().error().code(), Code::kUnavailable);
}

TEST_F(MaintenanceTest, APrunePassesOverWhatLives) {
  const BatchView alive = Ended("a");
  Ended("b");
  lender_->SetBusy(alive.id);
  Begin();
  EXPECT_EQ(Prune()->batches, 1u);
  EXPECT_TRUE(IsThere(alive));
}

TEST_F(MaintenanceTest, ADryRunBorrowsNothing) {
  const BatchView batch = Ended("a");
  Begin();
  const auto pruned = Prune(true);
  EXPECT_EQ(pruned->batches, 1u);
  EXPECT_GT(pruned->bytes, 0u);
  EXPECT_EQ(Asked(), Events{});
  EXPECT_TRUE(IsThere(batch));
}

TEST_F(MaintenanceTest, WhatLivesIsNotCompressed) {
  const BatchView alive = Ended("a", Long());
  Ended("b", Long());
  lender_->SetBusy(alive.id);
  Begin({.compress_after = 1});
  AwaitKept(2);
  EXPECT_FALSE(maintenance_->IsCompressed({"ann", "a"}, 1));
  EXPECT_FALSE(maintenance_->IsCompressed({"ann", "b"}, 1)) << "the first to end comes first";
  EXPECT_FALSE(lender_->any_out()) << "what was lent beside it is given back";
  lender_->SetFree(alive.id);
  maintenance_->OnBatchEnded();
  while (!maintenance_->IsCompressed({"ann", "b"}, 1)) std::this_thread::yield();
  EXPECT_TRUE(maintenance_->IsCompressed({"ann", "a"}, 1));
}

TEST_F(MaintenanceTest, ARetryThatMeetsItsBatchBeingCompressedGetsPlainOutput) {
  const BatchView batch = Ended("a", Long());
  const std::string output = Long();
  std::promise<base::Status> expanded;
  lender_->OnLent([&](BatchUse use) {
    if (use != BatchUse::kCompression) return;
    // Behind the answer, as the loop does it: the slice is under way already.
    maintenance_->Expand({.batch = batch.id, .index = 1, .attempt = 2}, batch.name, [&](const base::Status& status) {
      lender_->AddEvent("expanded");
      expanded.set_value(status);
    });
  });
  Begin({.compress_after = 1});
  ASSERT_TRUE(test::Await(expanded.get_future()).ok());
  EXPECT_EQ(Asked(), (Events{"borrow to compress", "give back 1", "expanded"})) << "not before the slice was done";
  EXPECT_EQ(fs::file_size(Folder("a") / "1.out"), output.size());
  EXPECT_FALSE(maintenance_->IsCompressed({"ann", "a"}, 1));
}

TEST_F(MaintenanceTest, ARemovalThatMeetsACompressionComesAfterIt) {
  const BatchView batch = Ended("a", Long());
  std::promise<base::Result<bool>> removed;
  lender_->Hold();
  Begin({.compress_after = 1});
  lender_->AwaitEvent("borrow to compress");
  maintenance_->Remove(batch, [&](base::Result<bool> result) { removed.set_value(std::move(result)); });
  lender_->Answer();
  EXPECT_TRUE(*test::Await(removed.get_future()));
  EXPECT_EQ(Asked(), (Events{"borrow to compress", "give back 1", "borrow to remove", "give back 1"}));
}

TEST_F(MaintenanceTest, ShutdownInTheMiddleDropsWhatWasAskedFor) {
  const BatchView batch = Ended("a");
  bool called = false;
  lender_->Hold();
  Begin();
  maintenance_->Remove(batch, [&](const base::Result<bool>&) { called = true; });
  lender_->AwaitEvent("borrow to remove");
  maintenance_->Shutdown();
  maintenance_->Remove(batch, [&](const base::Result<bool>&) { called = true; });
  maintenance_->OnBatchEnded();
  maintenance_.reset();
  // The loop answers when there is nobody left.
  lender_->Answer();
  EXPECT_FALSE(called);
  EXPECT_TRUE(IsThere(batch));
  EXPECT_TRUE(fs::exists(Folder("a") / "1.out"));
}

TEST_F(MaintenanceTest, NewRulesAreTakenUp) {
  const BatchView first = Ended("a");
  Ended("b");
  Begin();
  AwaitKept(2);
  maintenance_->SetRules({.all = {.max_batches = 1}, .owners = {{"bob", {.max_age = kDay}}}}, 0);
  const KeptStatus kept = AwaitKept(1);
  EXPECT_EQ(kept.rule.max_batches, 1u);
  EXPECT_EQ(kept.own_rules, 1u);
  EXPECT_FALSE(IsThere(first));
}

}  // namespace
}  // namespace jobd::worker
