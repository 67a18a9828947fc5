// Who waits for whom, and what is refused: the table in batch_leases.h, on a loop of its own.
#include "worker/run/batch_leases.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/await.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/run/engine.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

class IdleUpkeep final : public Upkeep {
 public:
  bool IsCompressed(const BatchName&, uint32_t) override { return false; }
  void Expand(launch::JobKey, BatchName, std::function<void(base::Status)>) override {}
  void OnBatchEnded() override {}
};

class BatchLeasesTest : public ::testing::Test {
 protected:
  BatchLeasesTest() : state_(dir_.Open("state")), logs_(dir_.Open("logs")), launcher_(logs_.get()) {
    store_ = *OpenSqliteStore(state_.get(), clock_);
    engine_ = *Engine::Create({.store = *store_,
                               .launcher = launcher_,
                               .clock = clock_,
                               .changes = changes_,
                               .live = live_,
                               .observer = observer_,
                               .upkeep = upkeep_,
                               .log_dir = logs_.get()},
                              {});
    EXPECT_TRUE(engine_->Begin().ok());
  }
  ~BatchLeasesTest() override {
    engine_->Shutdown();
    launcher_.Detach();
    store_.reset();
  }
  // A batch that is over, past everything that the loop does.
  BatchView Ended(const std::string& id) {
    auto stored = Await<Stored>([&](auto done) { store_->Submit({.name = {"ann", id}, .specs = {{}}}, done); });
    auto ended = Await<bool>([&](auto done) {
      store_->Apply({Write{
          .changes = {PutRange{.batch = stored->id, .first = 1, .last = 1, .row = {.outcome = {.state = JobState::kCancelled}}}},
          .done = [done](const base::Status& status) { done(status.ok()); }}});
    });
    EXPECT_TRUE(*ended);
    return *(*store_->Read())->Batch(stored->id);
  }
  void OnLoop(std::function<void(BatchLeases&)> work) {
    std::promise<void> done;
    engine_->loop.Post([&] {
      work(engine_->leases);
      done.set_value();
    });
    test::WaitFor(done.get_future());
  }
  Lending Borrow(const BatchView& batch, BatchUse use) {
    std::promise<std::vector<Lending>> answer;
    engine_->leases.Borrow({{.batch = batch.id, .ended_at = batch.ended_at}}, use,
                           [&](std::vector<Lending> lent) { answer.set_value(std::move(lent)); });
    return test::Await(answer.get_future()).front();
  }
  void GiveBack(const BatchView& batch, std::vector<Change> changes = {}) {
    std::promise<void> done;
    engine_->leases.GiveBack({batch.id}, std::move(changes), [&](const base::Status&) { done.set_value(); });
    test::WaitFor(done.get_future());
  }
  bool IsFound(const std::string& id) {
    bool found = false;
    OnLoop([&](BatchLeases& leases) { found = leases.Find({.batch = {"ann", id}}).ok(); });
    return found;
  }

  TempDir dir_;
  base::Fd state_;
  base::Fd logs_;
  FakeClock clock_;
  FakeLauncher launcher_;
  ChangeBus changes_;
  LiveOverlay live_;
  Observer observer_;
  IdleUpkeep upkeep_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(BatchLeasesTest, WhatIsLentForRemovalIsGoneForEverybody) {
  const BatchView batch = Ended("b");
  EXPECT_TRUE(IsFound("b"));
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kLent);
  EXPECT_FALSE(IsFound("b"));
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kGone);
  EXPECT_EQ(Borrow(batch, BatchUse::kCompression), Lending::kGone);
  GiveBack(batch);
  EXPECT_TRUE(IsFound("b")) << "its files could not be deleted";
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kLent);
  GiveBack(batch, {DropBatch{.batch = batch.id}});
  EXPECT_FALSE(IsFound("b"));
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kGone);
}

TEST_F(BatchLeasesTest, WhatIsCompressedIsThereForClientsAndBusyForRemoval) {
  const BatchView batch = Ended("b");
  EXPECT_EQ(Borrow(batch, BatchUse::kCompression), Lending::kLent);
  EXPECT_TRUE(IsFound("b"));
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kBusy);
  OnLoop([&](BatchLeases& leases) { EXPECT_TRUE(leases.IsBeingCompressed(batch.id)); });
  GiveBack(batch);
  OnLoop([&](BatchLeases& leases) { EXPECT_FALSE(leases.IsBeingCompressed(batch.id)); });
}

TEST_F(BatchLeasesTest, WhatIsRetriedOrHasEndedAnewIsNotLent) {
  BatchView batch = Ended("b");
  OnLoop([&](BatchLeases& leases) {
    EXPECT_TRUE(leases.BeginRetry(batch.id));
    EXPECT_FALSE(leases.BeginRetry(batch.id)) << "one at a time";
  });
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kBusy);
  EXPECT_EQ(Borrow(batch, BatchUse::kCompression), Lending::kBusy);
  OnLoop([&](BatchLeases& leases) { leases.EndRetry(batch.id); });
  batch.ended_at -= 1;
  EXPECT_EQ(Borrow(batch, BatchUse::kRemoval), Lending::kGone);
}

TEST_F(BatchLeasesTest, WhoWaitsForARetryIsServedAtItsEndInTheOrderOfTheirComing) {
  OnLoop([](BatchLeases& leases) {
    std::string order;
    EXPECT_FALSE(leases.DeferBehindRetry(7, [] {}));
    EXPECT_TRUE(leases.BeginRetry(7));
    EXPECT_FALSE(leases.IsRetryAwaited(7));
    EXPECT_TRUE(leases.DeferBehindRetry(7, [&] { order += "a"; }));
    EXPECT_TRUE(leases.DeferBehindRetry(7, [&] { order += "b"; }));
    EXPECT_FALSE(leases.DeferBehindRetry(8, [] {})) << "of another batch";
    EXPECT_TRUE(leases.IsRetryAwaited(7));
    EXPECT_EQ(leases.Retried(), std::vector<uint64_t>{7});
    leases.EndRetry(7);
    EXPECT_EQ(order, "ab");
    EXPECT_TRUE(leases.Retried().empty());
  });
}

TEST_F(BatchLeasesTest, WhoWaitsForASubmissionIsServedWhenTheLastOfItsNameIsOver) {
  OnLoop([](BatchLeases& leases) {
    const BatchName name{"ann", "b"};
    std::string order;
    EXPECT_FALSE(leases.DeferBehindSubmission(name, [] {}));
    EXPECT_FALSE(leases.DeferBehindSubmissions([] {}));
    leases.BeginSubmission(name);
    leases.BeginSubmission(name);
    leases.BeginSubmission({"eve", "b"});
    EXPECT_TRUE(leases.DeferBehindSubmission(name, [&] { order += "one "; }));
    EXPECT_TRUE(leases.DeferBehindSubmissions([&] { order += "all "; }));
    EXPECT_FALSE(leases.DeferBehindSubmission({"ann", "c"}, [] {}));
    leases.EndSubmission(name);
    EXPECT_EQ(order, "");
    leases.EndSubmission(name);
    EXPECT_EQ(order, "one ");
    leases.EndSubmission({"eve", "b"});
    EXPECT_EQ(order, "one all ");
  });
}

TEST_F(BatchLeasesTest, OneHoldOrReleaseIsRecordedAtATime) {
  OnLoop([](BatchLeases& leases) {
    EXPECT_TRUE(leases.BeginHold(7));
    EXPECT_FALSE(leases.BeginHold(7));
    EXPECT_TRUE(leases.BeginHold(8));
    EXPECT_TRUE(leases.BeginRetry(7)) << "a retry goes on";
    leases.EndHold(7);
    EXPECT_TRUE(leases.BeginHold(7));
  });
}

}  // namespace
}  // namespace jobd::worker
