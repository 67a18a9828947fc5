// Databases of every earlier version are opened and brought up to date; those of later ones are left alone (store_test.cc).
#include "worker/store/schema.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/worker/schema_v1.h"
#include "tests/unit/worker/schema_v2.h"
#include "tests/unit/worker/schema_v3.h"
#include "tests/unit/worker/schema_v4.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

// One for each version before ours, in order. A new version adds its predecessor here.
constexpr std::array<const char*, kSchemaVersion - 1> kEarlier = {kDatabaseV1, kDatabaseV2, kDatabaseV3, kDatabaseV4};

class SchemaTest : public WorkerTest, public ::testing::WithParamInterface<size_t> {
 protected:
  void SetUp() override {
    auto database = Database::Open(Path(), true);
    ASSERT_TRUE(database.ok());
    const base::Status made = database->Execute(kEarlier[GetParam()]);
    ASSERT_TRUE(made.ok()) << made.error().message();
  }
  std::string Path() const { return dir_ / "state/jobd.db"; }
};

TEST_P(SchemaTest, IsOpenedWithAllThatIsInIt) {
  const base::Status opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(Batch("done").state, JobState::kSucceeded);
  EXPECT_EQ(Batch("done").options.name, "nightly");
  const JobView job = Job("done", 1);
  EXPECT_EQ(job.argv, std::vector<std::string>{"true"});
  EXPECT_EQ(job.outcome.exit_code, 0);
  EXPECT_EQ(job.dropped_bytes, 11u);
  const auto failed = worker_->GetBatch({.batch = {"bob", "failed"}});
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(failed->jobs.at(0).outcome.exit_code, 3);
  EXPECT_EQ(Job("waiting", 2).outcome.state, JobState::kHeld);
  const auto in = [&](JobState state) {
    std::string names;
    const auto page = worker_->ListBatches({.states = {state}});
    for (const auto& batch : page->batches) names += batch.name.correlation_id + " ";
    return names;
  };
  EXPECT_EQ(in(JobState::kSucceeded), "done ");
  EXPECT_EQ(in(JobState::kFailed), "failed ");
  EXPECT_EQ(in(JobState::kHeld), "waiting ") << "all of it that has not ended is held";
}

TEST_P(SchemaTest, BatchesAreNumberedByOwnerInTheOrderOfTheirAcceptance) {
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Batch("done").number, 1u);
  EXPECT_EQ(Batch("waiting").number, 2u);
  EXPECT_EQ(worker_->GetBatch({.batch = {"bob", "failed"}})->batch.number, 1u);
  EXPECT_EQ(worker_->Resolve("ann", "2")->batch.correlation_id, "waiting");
  EXPECT_EQ(worker_->Resolve("ann", "nightly/1")->batch.correlation_id, "done");
  EXPECT_EQ(Submit("next", Jobs(1))->number, 3u);
  const JobView held = Job("waiting", 2);
  EXPECT_EQ(held.held_by, "ann") << "nobody else is known to have held it";
  EXPECT_EQ(held.waits_since, 1600000000000000000);
}

TEST_P(SchemaTest, WhatWaitedRunsAndWhatHadEndedIsCountedAsKept) {
  launcher_->RunAtOnce();
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "waiting"}}, done); }).ok());
  UntilEnded("waiting");
  EXPECT_EQ(Job("waiting", 2).outcome.state, JobState::kSucceeded);
  while (worker_->GetStatus().kept.batches != 3) std::this_thread::yield();
}

TEST_P(SchemaTest, NobodyIsLoggedInAndEverybodyCanBe) {
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(worker_->sessions().Sessions()->empty());
  const auto put = Await<bool>([&](auto done) {
    worker_->sessions().Put(SessionRecord{.handle = "s-1", .user = "ann"},
                            [done](const base::Status& status) { done(base::Result<bool>(status.ok())); });
  });
  EXPECT_TRUE(*put);
  EXPECT_EQ(worker_->sessions().Sessions()->size(), 1u);
}

TEST_P(SchemaTest, IsOfTheNewestVersionAfterwards) {
  ASSERT_TRUE(Open().ok());
  worker_.reset();
  auto database = Database::Open(Path(), false);
  EXPECT_EQ(*database->QueryInt("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(*database->QueryText("PRAGMA integrity_check"), "ok");
  EXPECT_TRUE(Open().ok()) << "and is opened again";
}

// What version 3 kept in memory alone: a job of a batch that is held waits HELD should it be tried again.
TEST(SchemaV3Test, WhatRunsOfAHeldBatchIsHeldAfterwards) {
  const test::TempDir dir;
  auto database = Database::Open(dir / "jobd.db", true);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->Execute(kDatabaseV3).ok());
  ASSERT_TRUE(
      database
          ->Execute("INSERT INTO jobs SELECT batch, 2, 4, attempt, retries_used, 0, '', '', '', '', '', NULL, NULL, 0, 0, 0, 0, "
                    "0, 0, 0, 0, 0, 0, 0, 0, 0 FROM jobs WHERE batch IN (1, 3);"
                    "UPDATE batches SET job_count = 2, job_rows = 2, starting = 1, held_jobs = 0, ended_at = 0 WHERE id IN (1, 3);"
                    "INSERT INTO starts VALUES (3, 2, 1, 2, 5);")
          .ok());
  const auto folder = base::OpenAt(AT_FDCWD, dir.path(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(folder.ok());
  const base::Status prepared = PrepareDatabase(*database, folder->get());
  ASSERT_TRUE(prepared.ok()) << prepared.error().message();
  EXPECT_EQ(*database->QueryInt("SELECT hold_next FROM jobs WHERE batch = 3 AND idx = 2"), 1);
  EXPECT_EQ(*database->QueryInt("SELECT hold_next FROM jobs WHERE batch = 1 AND idx = 2"), 0) << "its batch is not held";
  EXPECT_EQ(*database->QueryInt("SELECT hold_next FROM jobs WHERE batch = 3 AND idx = 1"), 0) << "it does not run";
  EXPECT_EQ(*database->QueryInt("SELECT log_base FROM starts INDEXED BY starts_again WHERE batch = 3 AND idx = 1 AND attempt > 1"),
            5);
  EXPECT_EQ(*database->QueryInt("SELECT last FROM numbers WHERE owner = 'ann'"), 2);
}

INSTANTIATE_TEST_SUITE_P(EarlierVersions, SchemaTest, ::testing::Range<size_t>(0, kEarlier.size()),
                         [](const auto& one) { return "V" + std::to_string(one.param + 1); });

}  // namespace
}  // namespace jobd::worker
