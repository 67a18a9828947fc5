// A worker in a temporary directory with a fake launcher, and calls that wait for their answers.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "base/fd.h"
#include "tests/support/await.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/worker/fake_launcher.h"
#include "worker/worker.h"

namespace jobd::worker {

using test::TempDir;

// Time that the test moves; it also moves a little by itself, so that two readings differ.
class FakeClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now_.fetch_add(step_) + jumped_.load(); }
  base::Nanos Monotonic() const override { return now_.fetch_add(step_); }
  // How far the clock goes on at each look.
  void SetStep(base::Nanos step) { step_ = step; }
  void Advance(base::Nanos by) { now_.fetch_add(by); }
  // As when somebody sets the wall clock: no time has passed.
  void JumpWall(base::Nanos by) { jumped_.fetch_add(by); }

 private:
  mutable std::atomic<base::Nanos> now_{FakeLauncher::kStarted};
  std::atomic<base::Nanos> jumped_{0};
  std::atomic<base::Nanos> step_{1000};
};

// Calls `start` with a callback and waits for what it is called with.
template <typename T, typename Start>
base::Result<T> Await(Start start) {
  std::promise<base::Result<T>> promise;
  auto future = promise.get_future();
  start([&promise](base::Result<T> result) { promise.set_value(std::move(result)); });
  return future.get();
}

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() : state_(dir_.Open("state")), logs_(dir_.Open("logs")), launcher_(std::make_unique<FakeLauncher>(logs_.get())) {
    limits_.max_running = 2;
    limits_.default_workdir = "/";
    limits_.default_path = "/bin";
  }
  ~WorkerTest() override { worker_.reset(); }

  base::Status Open() {
    auto worker =
        Worker::Create({.state_dir = state_.get(), .log_dir = logs_.get(), .limits = limits_, .answer_within = answer_within_},
                       *launcher_, clock_);
    if (!worker.ok()) return std::move(worker).error();
    worker_ = std::move(*worker);
    return base::Ok();
  }
  // As after a crash of both: a new launcher, which knows of earlier attempts what it was left.
  void Restart(bool run_at_once = false, std::map<launch::JobKey, FakeFate> left = {}) {
    worker_.reset();
    launcher_ = std::make_unique<FakeLauncher>(logs_.get());
    if (run_at_once) launcher_->RunAtOnce();
    for (auto& [key, fate] : left) launcher_->LeaveBehind(key, std::move(fate));
    ASSERT_TRUE(Open().ok());
  }

  static std::vector<JobSpec> Jobs(size_t count, uint32_t retries = 0) {
    return std::vector<JobSpec>(count, JobSpec{.argv = {"true"}, .retries = retries});
  }
  base::Result<Receipt> Submit(const std::string& id, std::vector<JobSpec> jobs, BatchOptions options = {},
                               const std::string& owner = "ann") {
    options.correlation_id = id;
    return Await<Receipt>([&](auto done) { worker_->Submit({.owner = owner}, options, jobs, done); });
  }
  base::Result<CancelCounts> Cancel(const std::string& id, std::optional<uint32_t> index = std::nullopt) {
    return Await<CancelCounts>([&](auto done) {
      worker_->Cancel({.batch = {"ann", id}, .index = index}, "bob", "enough", std::nullopt, done);
    });
  }
  JobView Job(const std::string& id, uint32_t index) {
    auto page = worker_->GetBatch({.batch = {"ann", id}, .index = index});
    EXPECT_TRUE(page.ok()) << (page.ok() ? "" : page.error().message());
    return page.ok() && !page->jobs.empty() ? page->jobs.front() : JobView{};
  }
  BatchView Batch(const std::string& id) {
    auto page = worker_->GetBatch({.batch = {"ann", id}});
    EXPECT_TRUE(page.ok()) << (page.ok() ? "" : page.error().message());
    return page.ok() ? page->batch : BatchView{};
  }
  // Waits, woken by the watch, until `done` holds of the batch.
  template <typename Condition>
  void Until(const std::string& id, Condition done) {
    auto watch = worker_->Watch({"ann", id});
    ASSERT_TRUE(watch.ok());
    while (!done()) {
      auto update = (*watch)->Next();
      ASSERT_TRUE(update.ok()) << update.error().message();
      if (done()) return;
      if (*update) continue;
      std::promise<void> woken;
      (*watch)->Arm([&] { woken.set_value(); });
      test::WaitFor(woken.get_future());
    }
  }
  void UntilState(const std::string& id, uint32_t index, JobState state) {
    Until(id, [&] { return Job(id, index).outcome.state == state; });
  }
  void UntilEnded(const std::string& id) {
    Until(id, [&] { return Batch(id).ended_at != 0; });
  }

  TempDir dir_;
  base::Fd state_;
  base::Fd logs_;
  FakeClock clock_;
  WorkerLimits limits_;
  base::Nanos answer_within_ = WorkerOptions{}.answer_within;
  std::unique_ptr<FakeLauncher> launcher_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace jobd::worker
