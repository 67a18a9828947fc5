// Specs that are read ahead: the right ones whatever happens in between, and never more than the bounds.
#include "worker/run/spec_prefetcher.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

std::string NameOf(uint32_t index) { return "job " + std::to_string(index); }

class SpecPrefetcherTest : public WorkerTest {
 protected:
  void SetUp() override {
    auto store = OpenSqliteStore(state_.get(), clock_);
    ASSERT_TRUE(store.ok());
    store_ = std::move(*store);
    auto reader = store_->Read();
    ASSERT_TRUE(reader.ok());
    reader_ = std::move(*reader);
  }
  void TearDown() override { reader_.reset(); }

  // A batch of jobs that are called by their index.
  uint64_t Store(const std::string& id, uint32_t jobs, size_t stdin_bytes = 0) {
    NewBatch batch{.name = {"ann", id}, .digest = id};
    for (uint32_t index = 1; index <= jobs; ++index) {
      batch.specs.push_back({.spec = EncodeSpec({.argv = {NameOf(index)}}), .stdin_data = std::string(stdin_bytes, 'x')});
    }
    const auto stored = Await<Stored>([&](auto done) { store_->Submit(std::move(batch), done); });
    EXPECT_TRUE(stored.ok());
    return stored->id;
  }
  std::string Take(uint64_t batch, uint32_t index, bool in_order = true) {
    const auto spec = ahead_.Take(*reader_, batch, index, in_order);
    return spec.ok() ? spec->argv.at(0) : spec.error().message();
  }
  void EmptyTheTable() { ASSERT_TRUE(Database::Open(dir_ / "state/jobd.db", false)->Execute("DELETE FROM specs").ok()); }

  std::unique_ptr<worker::Store> store_;
  worker::Store::Lease reader_;
  SpecPrefetcher ahead_;
};

TEST_F(SpecPrefetcherTest, OneLookServesAsManyAsASliceHas) {
  const uint64_t batch = Store("b", 100);
  EXPECT_EQ(Take(batch, 1), NameOf(1));
  EmptyTheTable();
  for (uint32_t index = 2; index <= SpecPrefetcher::kJobs; ++index) EXPECT_EQ(Take(batch, index), NameOf(index));
  EXPECT_EQ(ahead_.bytes(), 0u);
  EXPECT_EQ(Take(batch, SpecPrefetcher::kJobs + 1), "no such job");
}

TEST_F(SpecPrefetcherTest, WhatIsPassedOverIsDroppedAndAnyOrderIsRight) {
  const uint64_t batch = Store("b", 300);
  for (const uint32_t index : {1u, 2u, 5u, 64u, 65u, 200u, 300u, 3u, 4u}) EXPECT_EQ(Take(batch, index), NameOf(index));
  EXPECT_EQ(Take(batch, 301), "no such job");
  EXPECT_EQ(Take(batch + 1, 1), "no such job");
  EXPECT_EQ(ahead_.bytes(), 0u) << "a miss forgets";
}

TEST_F(SpecPrefetcherTest, OneOutOfOrderLeavesTheOthers) {
  const uint64_t batch = Store("b", 100);
  EXPECT_EQ(Take(batch, 10), NameOf(10));
  const size_t held = ahead_.bytes();
  EXPECT_EQ(Take(batch, 3, false), NameOf(3));
  EXPECT_EQ(ahead_.bytes(), held);
  EmptyTheTable();
  EXPECT_EQ(Take(batch, 11), NameOf(11));
}

TEST_F(SpecPrefetcherTest, TheJobsOfAnotherBatchAreNotTaken) {
  const uint64_t one = Store("one", 3), two = Store("two", 70);
  for (uint32_t index = 1; index <= 3; ++index) {
    EXPECT_EQ(Take(one, index), NameOf(index));
    EXPECT_EQ(Take(two, index), NameOf(index));
  }
  EXPECT_EQ(Take(one, 4), "no such job");
  ahead_.Forget(two);
  EXPECT_EQ(ahead_.bytes(), 0u);
}

TEST_F(SpecPrefetcherTest, LongSpecsAreReadAheadUpToTheBoundsOnly) {
  const uint64_t huge = Store("huge", 3, 2 * SpecPrefetcher::kSliceBytes);
  EXPECT_EQ(Take(huge, 1), NameOf(1));
  EXPECT_EQ(ahead_.bytes(), 0u);
  std::vector<uint64_t> batches;
  for (int i = 0; i < 24; ++i) batches.push_back(Store(std::to_string(i), 64, 1000));
  for (const uint64_t batch : batches) {
    EXPECT_EQ(Take(batch, 1), NameOf(1));
    EXPECT_LE(ahead_.bytes(), SpecPrefetcher::kBytes + SpecPrefetcher::kSliceBytes + SpecPrefetcher::kJobs * sizeof(EncodedSpec));
  }
  EXPECT_GT(ahead_.bytes(), SpecPrefetcher::kBytes / 2);
  for (const uint64_t batch : batches) {
    for (uint32_t index = 2; index <= 64; ++index) EXPECT_EQ(Take(batch, index), NameOf(index));
  }
  EXPECT_EQ(ahead_.bytes(), 0u);
}

// Through the loop: whatever is asked for in between, each job runs as itself, and what was taken out does not run.
class ReadAheadRunTest : public WorkerTest {};

TEST_F(ReadAheadRunTest, CancelHoldAndRetryInBetweenStartTheRightJobs) {
  constexpr uint32_t kJobs = 150;
  limits_.max_running = 1;
  ASSERT_TRUE(Open().ok());
  std::vector<JobSpec> jobs;
  for (uint32_t index = 1; index <= kJobs; ++index) jobs.push_back({.argv = {NameOf(index)}});
  ASSERT_TRUE(Submit("b", jobs).ok());
  const auto first = launcher_->WaitLaunched(1);  // and by now others are read
  ASSERT_TRUE(Cancel("b", 5).ok());
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "b"}, .index = 7}, "bob", done); }), 1u);
  EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = 5}, false, done); }), 1u);
  ASSERT_TRUE(Cancel("b", 9).ok());
  size_t launched = 1;
  for (auto request = first;; request = launcher_->WaitLaunched(++launched)) {
    EXPECT_EQ(request.argv, std::vector<std::string>{NameOf(request.key.index)});
    EXPECT_NE(request.key.index, 9u);
    if (request.key.index == 20) {
      EXPECT_EQ(*Await<uint32_t>([&](auto done) { worker_->Release({.batch = {"ann", "b"}, .index = 7}, done); }), 1u);
    }
    launcher_->Exit(request.key, base::ExitStatus::Exited(0));
    if (request.key.index == kJobs) break;
  }
  EXPECT_EQ(launched, kJobs - 1);
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kSucceeded, kJobs - 1}, {JobState::kCancelled, 1}}));
}

}  // namespace
}  // namespace jobd::worker
