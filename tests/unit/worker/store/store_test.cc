// Submission and the database: idempotency, damage, versions, pages.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/support/await.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

using base::Code;

class StoreTest : public WorkerTest {
 protected:
  std::filesystem::path Database() const { return dir_ / "state/jobd.db"; }
  BatchOptions Held() const { return {.hold = true}; }
};

TEST_F(StoreTest, GarbageIsNotOpenedAndNotTouched) {
  std::ofstream(Database()) << std::string(100'000, 'x');
  const base::Status status = Open();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kDataLoss);
  EXPECT_NE(status.error().message().find("move jobd.db"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(Database()), 100'000u);
}

TEST_F(StoreTest, TruncatedDatabaseIsNotOpened) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(5000), Held()).ok());
  worker_.reset();
  std::filesystem::resize_file(Database(), std::filesystem::file_size(Database()) / 2);
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(StoreTest, DirectoryInItsPlaceIsNotOpened) {
  std::filesystem::create_directory(Database());
  EXPECT_FALSE(Open().ok());
}

TEST_F(StoreTest, AnotherProgramsDatabaseIsNotOpened) {
  {
    auto database = Database::Open(Database(), true);
    ASSERT_TRUE(database->Execute("CREATE TABLE t (x); PRAGMA user_version = 1").ok());
  }
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(StoreTest, NewerDatabaseIsNotOpened) {
  ASSERT_TRUE(Open().ok());
  worker_.reset();
  {
    auto database = Database::Open(Database(), false);
    ASSERT_TRUE(database->Execute(("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1)).c_str()).ok());
  }
  const base::Status status = Open();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kFailedPrecondition);
}

TEST_F(StoreTest, SameSubmissionAgainIsAnsweredAsTheFirstTime) {
  ASSERT_TRUE(Open().ok());
  const auto first = Submit("b", Jobs(2), Held());
  const auto again = Submit("b", Jobs(2), Held());
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_FALSE(first->replayed);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->created_at, first->created_at);
  EXPECT_EQ(Submit("b", Jobs(3), Held()).error().code(), Code::kAlreadyExists);
  EXPECT_FALSE(Submit("b", Jobs(2), Held(), "eve")->replayed);
  // Also when nothing new would be accepted.
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Stop(false, "", done); }).ok());
  EXPECT_TRUE(Submit("b", Jobs(2), Held())->replayed);
}

TEST_F(StoreTest, TwoHundredClientsWithOneIdMakeOneBatch) {
  ASSERT_TRUE(Open().ok());
  std::vector<std::future<base::Result<Receipt>>> answers;
  for (int i = 0; i < 200; ++i) {
    auto promise = std::make_shared<std::promise<base::Result<Receipt>>>();
    answers.push_back(promise->get_future());
    worker_->Submit({.owner = "ann"}, {.correlation_id = "b", .hold = true}, Jobs(1),
                    [promise](base::Result<Receipt> receipt) { promise->set_value(std::move(receipt)); });
  }
  int made = 0;
  for (auto& answer : answers) {
    const auto receipt = answer.get();
    ASSERT_TRUE(receipt.ok());
    if (!receipt->replayed) ++made;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(worker_->ListBatches({.owner = "ann"})->batches.size(), 1u);
}

TEST_F(StoreTest, FaultF10ALargeBatchIsCancelledAsAWhole) {
  constexpr uint32_t kMany = 100'000;
  limits_.max_batch_jobs = kMany;
  limits_.max_queued = kMany;
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(kMany), Held()).ok());
  for (const uint32_t index : {1u, 7u, kMany}) EXPECT_EQ(Cancel("b", index)->cancelled, 1u);
  EXPECT_EQ(Cancel("b")->cancelled, kMany - 3);
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, kMany}}));
  EXPECT_NE(Batch("b").ended_at, 0);
  for (const uint32_t index : {1u, 2u, 6u, 7u, 8u, kMany - 1, kMany}) {
    EXPECT_EQ(Job("b", index).outcome.state, JobState::kCancelled) << index;
    EXPECT_EQ(Job("b", index).outcome.reason.by, "bob") << index;
  }
  EXPECT_EQ(Cancel("b")->cancelled, 0u);
  Restart();
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kCancelled, kMany}}));
}

TEST_F(StoreTest, FaultF10JobsThatHaveARowKeepIt) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(50), {.parallel = 1}).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  launcher_->Exit(first, base::ExitStatus::Exited(3));
  const auto second = launcher_->WaitLaunched(2).key;
  EXPECT_EQ(Cancel("b", 30)->cancelled, 1u);
  ASSERT_TRUE(Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "b"}, .index = 40}, "eve", done); }).ok());
  const auto counts = Cancel("b");
  EXPECT_EQ(counts->cancelled, 47u);
  EXPECT_EQ(counts->stopping, 1u);
  launcher_->Exit(second, base::ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Batch("b").counts, (std::map<JobState, uint32_t>{{JobState::kFailed, 1}, {JobState::kCancelled, 49}}));
  EXPECT_EQ(Job("b", first.index).outcome.exit_code, 3);
}

TEST_F(StoreTest, WhatWasAcceptedIsThereAfterARestart) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", {{.argv = {"a", "\xff"}, .env = {{"K", "V"}}, .stdin_data = "in", .retries = 3}},
                     {.name = "n", .labels = {{"k", "v"}}, .priority = Priority::kUrgent})
                  .ok());
  launcher_->WaitLaunched(1);
  Restart();
  const auto request = launcher_->WaitLaunched(1);
  EXPECT_EQ(request.argv, (std::vector<std::string>{"a", "\xff"}));
  EXPECT_EQ(request.stdin_data, "in");
  EXPECT_EQ(Batch("b").options.labels.at("k"), "v");
}

TEST_F(StoreTest, PrefixesResolveWhenUnique) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("abc1", Jobs(1), Held()).ok());
  ASSERT_TRUE(Submit("abc2", Jobs(1), Held()).ok());
  ASSERT_TRUE(Submit("abc", Jobs(1), Held()).ok());
  EXPECT_EQ(Batch("abc2").name.correlation_id, "abc2");
  EXPECT_EQ(Batch("abc").name.correlation_id, "abc");
  EXPECT_EQ(worker_->GetBatch({.batch = {"ann", "ab"}}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(worker_->GetBatch({.batch = {"ann", "abd"}}).error().code(), Code::kNotFound);
  EXPECT_EQ(worker_->GetBatch({.batch = {"eve", "abc"}}).error().code(), Code::kNotFound);
  EXPECT_EQ(worker_->GetBatch({.batch = {"ann", "%"}}).error().code(), Code::kInvalidArgument);
}

TEST_F(StoreTest, PagesCoverEverythingOnceAndTokensAreChecked) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(25), Held()).ok());
  JobQuery query{.batch = {"ann", "b"}, .page_size = 10};
  std::vector<uint32_t> seen;
  do {
    const auto page = worker_->GetBatch(query);
    ASSERT_TRUE(page.ok());
    for (const auto& job : page->jobs) seen.push_back(job.index);
    query.page_token = page->next_page_token;
  } while (!query.page_token.empty());
  ASSERT_EQ(seen.size(), 25u);
  EXPECT_EQ(seen.back(), 25u);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Submit("l" + std::to_string(i), Jobs(1), Held()).ok());
  const auto list = worker_->ListBatches({.owner = "ann", .page_size = 2});
  ASSERT_EQ(list->batches.size(), 2u);
  EXPECT_EQ(list->batches[0].name.correlation_id, "l4");
  EXPECT_EQ(worker_->ListBatches({.owner = "eve", .page_token = list->next_page_token}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(worker_->ListBatches({.owner = "ann", .page_token = "forged"}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(worker_->ListBatches({.owner = "ann", .page_token = list->next_page_token})->batches[0].name.correlation_id, "l2");
  EXPECT_EQ(worker_->ListBatches({.owner = "ann", .states = {JobState::kFailed}})->batches.size(), 0u);
}

TEST_F(StoreTest, LowDiskRefusesNewWork) {
  limits_.min_free_bytes = UINT64_MAX / 2;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Submit("b", Jobs(1)).error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(worker_->GetStatus().disks[0].accepting);
}

TEST_F(StoreTest, AWriteThatFailsFailsNobodyElses) {
  const FakeClock clock;
  auto store = OpenSqliteStore(state_.get(), clock);
  ASSERT_TRUE(store.ok());
  {
    auto database = Database::Open(Database(), false);
    ASSERT_TRUE(database
                    ->Execute("CREATE TRIGGER broken BEFORE INSERT ON meta WHEN NEW.key = 'bad' BEGIN "
                              "SELECT RAISE(ABORT, 'injected'); END")
                    .ok());
  }
  std::vector<std::string> answers;
  std::promise<void> all;
  std::vector<Write> group;
  for (const char* key : {"first", "bad", "last"}) {
    group.push_back({.changes = {PutMeta{.key = key, .value = "x"}}, .done = [&, key](const base::Status& status) {
                       answers.push_back(std::string(key) + (status.ok() ? " ok" : " failed"));
                       if (answers.size() == 3) all.set_value();
                     }});
  }
  (*store)->Apply(std::move(group));
  test::WaitFor(all.get_future());
  EXPECT_EQ(answers, (std::vector<std::string>{"first ok", "bad failed", "last ok"}));
  const auto reader = (*store)->Read();
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(*(*reader)->Meta("first"));
  EXPECT_FALSE(*(*reader)->Meta("bad"));
  EXPECT_TRUE(*(*reader)->Meta("last"));
}

// Writes to a store by itself, and knows who committed what, in which order.
class StoreThreadsTest : public StoreTest {
 protected:
  void SetUp() override {
    auto store = OpenSqliteStore(state_.get(), disk_clock_);
    ASSERT_TRUE(store.ok());
    store_ = std::move(*store);
    batch_ = Await<Stored>([&](auto done) {
               store_->Submit({.name = {"ann", "b"}, .digest = "d", .specs = std::vector<EncodedSpec>(100)}, done);
             })->id;
  }
  // `jobs` of the batch begin.
  Write Begin(uint32_t first, uint32_t jobs, std::function<void()> done) const {
    Write write{.done = [done = std::move(done)](const base::Status& status) {
      EXPECT_TRUE(status.ok());
      done();
    }};
    for (uint32_t index = first; index < first + jobs; ++index) {
      write.changes.push_back(PutJob{.batch = batch_, .index = index, .row = {.outcome = {.state = JobState::kStarting}}});
    }
    return write;
  }
  // Until the thread `store` has put away its last commit: then BeginApply gives the turn.
  void UntilIdle() {
    for (;;) {
      // One at a time: who adds to what waits faster than it is put away never finds nothing waiting.
      const auto told = std::make_shared<std::promise<void>>();
      if (const auto turn = store_->BeginApply({{.changes = {}, .done = [told](const auto&) { told->set_value(); }}}))
        return turn();
      test::WaitFor(told->get_future());
    }
  }
  uint32_t Starting() {
    const auto reader = store_->Read();
    return (*reader)->Batch(batch_)->counts[JobState::kStarting];
  }

  FakeClock disk_clock_;  // by which every commit is quick, whatever the machine is like
  std::unique_ptr<worker::Store> store_;
  uint64_t batch_ = 0;
};

TEST_F(StoreThreadsTest, FaultD8NobodyCommitsOnTheThreadOfTheCaller) {
  std::promise<std::thread::id> who;
  store_->Apply({Begin(1, 1, [&] { who.set_value(std::this_thread::get_id()); })});
  EXPECT_NE(test::Await(who.get_future()), std::this_thread::get_id());
  EXPECT_EQ(Starting(), 1u);
}

TEST_F(StoreThreadsTest, FaultLeftoverAStartThatMustBeAndIsForbiddenFailsAloneAndWhole) {
  std::promise<base::Status> cancelled, start, other;
  const auto into = [](std::promise<base::Status>& promise) {
    return [&promise](base::Status status) { promise.set_value(std::move(status)); };
  };
  store_->Apply({{.changes = {PutJob{.batch = batch_, .index = 1, .row = {.outcome = {.state = JobState::kCancelled}}}},
                  .done = into(cancelled)}});
  ASSERT_TRUE(test::Await(cancelled.get_future()).ok());
  // In one group, or in two: the same.
  store_->Apply({{.changes = {PutJob{.batch = batch_, .index = 1, .row = {.outcome = {.state = JobState::kStarting}}, .must = true},
                              AddStart{.batch = batch_, .seq = 7, .index = 1, .attempt = 1}},
                  .done = into(start)},
                 {.changes = Begin(2, 1, [] {}).changes, .done = into(other)}});
  const base::Status refused = test::Await(start.get_future());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kAborted);
  EXPECT_TRUE(test::Await(other.get_future()).ok());
  EXPECT_EQ(Starting(), 1u);
  const auto reader = store_->Read();
  EXPECT_EQ(*(*reader)->LastStart(batch_), 0);
}

TEST_F(StoreThreadsTest, ACommitUnderWayIsNotOvertaken) {
  std::promise<void> under_way, go_on, all;
  std::vector<int> order;
  store_->Apply({Begin(1, 1, [&] {
    under_way.set_value();
    test::WaitFor(go_on.get_future());
    order.push_back(1);
  })});
  test::WaitFor(under_way.get_future());
  store_->Apply({Begin(2, 1, [&] { order.push_back(2); })});
  store_->Apply({Begin(3, 1, [&] {
    order.push_back(3);
    all.set_value();
  })});
  EXPECT_TRUE(order.empty()) << "did not wait";
  go_on.set_value();
  test::WaitFor(all.get_future());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(StoreThreadsTest, WhoHasTheTurnCommitsAndWhatComesLaterComesBehind) {
  UntilIdle();
  std::promise<void> all;
  std::vector<int> order;
  std::thread::id who;
  const auto turn = store_->BeginApply({Begin(1, 1, [&] {
    order.push_back(1);
    who = std::this_thread::get_id();
  })});
  ASSERT_TRUE(turn);
  EXPECT_FALSE(store_->BeginApply({Begin(2, 1, [&] { order.push_back(2); })})) << "there is one turn";
  store_->Apply({Begin(3, 1, [&] {
    order.push_back(3);
    all.set_value();
  })});
  EXPECT_TRUE(order.empty());
  turn();
  EXPECT_EQ(who, std::this_thread::get_id());
  test::WaitFor(all.get_future());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(Starting(), 3u);
}

TEST_F(StoreThreadsTest, ATurnThatIsNotTakenLosesNothingAndHoldsNobodyUp) {
  UntilIdle();
  std::promise<void> all;
  std::vector<int> order;
  auto turn = store_->BeginApply({Begin(1, 1, [&] { order.push_back(1); })});
  ASSERT_TRUE(turn);
  store_->Apply({Begin(2, 1, [&] {
    order.push_back(2);
    all.set_value();
  })});
  turn = {};
  test::WaitFor(all.get_future());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  turn = store_->BeginApply({Begin(3, 1, [&] { order.push_back(3); })});
  turn = {};
  store_.reset();  // commits what is waiting
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(StoreThreadsTest, WhatIsLongIsLeftToTheStoresThread) {
  UntilIdle();
  std::promise<void> done;
  EXPECT_FALSE(store_->BeginApply({Begin(1, 100, [&] { done.set_value(); })}));
  test::WaitFor(done.get_future());
  EXPECT_EQ(Starting(), 100u);
}

TEST_F(StoreThreadsTest, ThreadsThatCommitInTurnsLoseNothing) {
  std::atomic<int> done = 0;
  std::thread submitter([&] {
    for (int i = 0; i < 50; ++i) {
      store_->Submit({.name = {"ann", std::to_string(i)}, .digest = "d", .specs = std::vector<EncodedSpec>(1)},
                     [&](const base::Result<Stored>& stored) { done += stored.ok() ? 1 : 0; });
    }
  });
  for (uint32_t index = 1; index <= 100; ++index) {
    if (const auto turn = store_->BeginApply({Begin(index, 1, [&] { ++done; })})) turn();
  }
  submitter.join();
  store_.reset();  // commits what is waiting
  EXPECT_EQ(done, 150);
}

}  // namespace
}  // namespace jobd::worker
