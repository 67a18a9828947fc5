// What the worker tells of itself: to whoever counts, and to a launcher that asks whether it works.
#include "worker/model/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;

class ObserverTest : public WorkerTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
};

// Keeps what it was told.
class Recorder final : public Observer {
 public:
  void OnAccepted(uint32_t jobs) override { accepted += jobs; }
  void OnStarted(base::Nanos waited) override {
    ++started;
    least_waited = std::min<base::Nanos>(least_waited, waited);
  }
  void OnAttempt(const JobRow& row) override { bytes += row.stdout_bytes; }
  void OnEnded(const BatchName& batch, uint32_t index, const Outcome& outcome, uint64_t count) override {
    const std::lock_guard lock(mutex);
    ended.push_back(batch.owner + "/" + batch.correlation_id + "/" + std::to_string(index) + " " +
                    std::string(StateName(outcome.state)) + " " + std::to_string(count));
  }
  void OnCommit(base::Nanos, bool ok) override { ++(ok ? commits : failures); }
  std::atomic<uint32_t> accepted = 0, started = 0, commits = 0, failures = 0;
  std::atomic<uint64_t> bytes = 0;
  std::atomic<base::Nanos> least_waited = INT64_MAX;
  std::mutex mutex;
  std::vector<std::string> ended;
};

TEST_F(ObserverTest, TellsAnObserverWhatItDoes) {
  worker_.reset();
  Recorder recorder;
  auto worker = Worker::Create({.state_dir = state_.get(), .log_dir = logs_.get(), .limits = limits_, .observer = &recorder},
                               *launcher_, clock_);
  ASSERT_TRUE(worker.ok());
  worker_ = std::move(*worker);
  ASSERT_TRUE(Submit("b", Jobs(5)).ok());
  ASSERT_TRUE(Submit("b", Jobs(5)).ok()) << "again: nothing new";
  const auto request = launcher_->WaitLaunched(2);
  launcher_->End(request.key, {.started_at = clock_.Realtime() + 500, .exit = ExitStatus::Exited(3), .stdout_bytes = 70});
  UntilState("b", request.key.index, JobState::kFailed);
  ASSERT_TRUE(Cancel("b").ok());
  worker_.reset();
  EXPECT_EQ(recorder.accepted, 5u);
  EXPECT_EQ(recorder.started, 1u);
  EXPECT_GT(recorder.least_waited, 0);
  EXPECT_EQ(recorder.bytes, 70u);
  EXPECT_GT(recorder.commits, 2u);
  EXPECT_EQ(recorder.failures, 0u);
  const std::lock_guard lock(recorder.mutex);
  ASSERT_GE(recorder.ended.size(), 2u);
  EXPECT_EQ(recorder.ended.front(), "ann/b/" + std::to_string(request.key.index) + " FAILED 1");
}

TEST_F(ObserverTest, AnEndAndTheStartItMakesRoomForAreOneCommit) {
  worker_.reset();
  Recorder recorder;
  limits_.max_running = 1;
  auto worker = Worker::Create({.state_dir = state_.get(), .log_dir = logs_.get(), .limits = limits_, .observer = &recorder},
                               *launcher_, clock_);
  ASSERT_TRUE(worker.ok());
  worker_ = std::move(*worker);
  ASSERT_TRUE(Submit("b", Jobs(20)).ok());
  auto request = launcher_->WaitLaunched(1);
  const uint32_t before = recorder.commits;
  for (uint32_t count = 2; count <= 20; ++count) {
    launcher_->Exit(request.key, ExitStatus::Exited(0));
    request = launcher_->WaitLaunched(count);
    EXPECT_EQ(recorder.commits, before + count - 1);
  }
  worker_.reset();
}

TEST_F(ObserverTest, AnswersAPingWhenLoopAndStoreHadTheirTurn) {
  launcher_->PingAndWait();
  launcher_->PingAndWait();
}

}  // namespace
}  // namespace jobd::worker
