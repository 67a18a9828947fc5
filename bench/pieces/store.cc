// The store, in a temporary folder: commits that are waited for one by one, and reads. What a commit takes is mostly the disk's, so
// it is measured by the wall clock; set TMPDIR to the disk that matters.
#include "worker/store/store.h"

#include <memory>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

#include "bench/pieces/piece.h"
#include "bench/pieces/specs.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite_store.h"

namespace jobd::bench {
namespace {

using worker::JobState;

// A store of its own; calls wait for their commit.
class WaitingStore {
 public:
  WaitingStore() {
    auto opened = worker::OpenSqliteStore(folder_.fd(), clock_);
    if (opened.ok()) store_ = *std::move(opened);
  }
  bool ok() const { return store_ != nullptr; }

  // Submits batches of so many jobs, numbered from `first` to `last`, as a store that is new numbers them.
  bool Submit(uint64_t first, uint64_t last, uint32_t jobs) {
    good_ = true;
    for (uint64_t number = first; number <= last; ++number) {
      const std::string id = "batch-" + std::to_string(number);
      worker::NewBatch batch{.name = {.owner = "ann", .correlation_id = id}, .digest = std::string(32, 'd'), .created_at = kThen};
      batch.options.correlation_id = id;
      batch.specs.assign(jobs, {.spec = spec_, .stdin_data = {}});
      // Answers come in order, so the last one releases us.
      store_->Submit(std::move(batch), [this, number, last](const base::Result<worker::Stored>& stored) {
        good_ = good_ && stored.ok() && stored->id == number && !stored->receipt.replayed;
        if (number == last) done_.release();
      });
    }
    done_.acquire();
    return good_;
  }
  bool Apply(std::vector<worker::Change> changes) {
    std::vector<worker::Write> writes;
    writes.push_back({.changes = std::move(changes), .done = [this](const base::Status& status) {
                        good_ = status.ok();
                        done_.release();
                      }});
    store_->Apply(std::move(writes));
    done_.acquire();
    return good_;
  }
  worker::Store& operator*() { return *store_; }

 private:
  const TempFolder folder_;
  const base::SystemClock clock_;
  const std::string spec_ = worker::EncodeSpec(TypicalSpec(7));
  bool good_ = false;  // handed over by done_
  std::binary_semaphore done_{0};
  std::unique_ptr<worker::Store> store_;
};

// The rows of all jobs go from one state to another that may follow, and back.
void StoreCommit(benchmark::State& state) {
  const auto rows = static_cast<uint32_t>(state.range(0));
  WaitingStore store;
  if (!Expect(state, store.ok() && store.Submit(1, 1, rows), "no store, or no batch in it")) return;
  constexpr uint64_t kBatch = 1;
  worker::JobRow row{.started_at = kThen};
  for (auto _ : state) {
    row.outcome.state = row.outcome.state == JobState::kStarting ? JobState::kQueued : JobState::kStarting;
    ++row.attempt;
    std::vector<worker::Change> changes;
    for (uint32_t index = 1; index <= rows; ++index)
      changes.emplace_back(worker::PutJob{.batch = kBatch, .index = index, .row = row});
    if (!Expect(state, store.Apply(std::move(changes)), "a commit failed")) break;
  }
  const auto reader = (*store).Read();
  const auto last = reader.ok() ? (*reader)->Row(kBatch, rows) : base::Result<std::optional<worker::JobRow>>(std::nullopt);
  (void)Expect(state, last.ok() && *last && (*last)->attempt == row.attempt, "what was committed is not there");
  CountItems(state, rows);
}
BENCHMARK(StoreCommit)
    ->ArgName("rows")
    ->Arg(1)
    ->Arg(64)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void StoreSubmit(benchmark::State& state) {
  WaitingStore store;
  if (!Expect(state, store.ok(), "no store")) return;
  uint64_t number = 0;
  for (auto _ : state) {
    ++number;
    if (!Expect(state, store.Submit(number, number, static_cast<uint32_t>(state.range(0))), "a batch was not accepted")) break;
  }
  CountItems(state, state.range(0));
}
BENCHMARK(StoreSubmit)->ArgName("jobs")->Arg(1)->Arg(10'000)->Unit(benchmark::kMicrosecond)->MeasureProcessCPUTime()->UseRealTime();

// What is read before a job is started.
void StoreReadJob(benchmark::State& state) {
  constexpr uint32_t kJobs = 10'000;
  WaitingStore store;
  if (!Expect(state, store.ok() && store.Submit(1, 1, kJobs), "no store, or no batch in it")) return;
  constexpr uint64_t kBatch = 1;
  const auto reader = (*store).Read();
  if (!Expect(state, reader.ok(), "no reader")) return;
  uint32_t index = 0;
  for (auto _ : state) {
    index = index % kJobs + 1;
    const auto row = (*reader)->Row(kBatch, index);
    const auto spec = (*reader)->Spec(kBatch, index);
    if (!Expect(state, row.ok() && !*row && spec.ok() && spec->retries == 2, "the job is not as it was submitted")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(StoreReadJob);

// A page of a batch, far from its beginning: the cost must be that of the page.
void StoreReadPage(benchmark::State& state) {
  constexpr uint32_t kJobs = 10'000;
  constexpr uint32_t kPage = 100;
  WaitingStore store;
  if (!Expect(state, store.ok() && store.Submit(1, 1, kJobs), "no store, or no batch in it")) return;
  constexpr uint64_t kBatch = 1;
  const auto reader = (*store).Read();
  if (!Expect(state, reader.ok(), "no reader")) return;
  for (auto _ : state) {
    const auto jobs = (*reader)->Jobs(kBatch, {.after = static_cast<uint32_t>(state.range(0)), .limit = kPage});
    if (!Expect(state, jobs.ok() && jobs->size() == kPage, "the page is not full")) break;
  }
  CountItems(state, kPage);
}
BENCHMARK(StoreReadPage)->ArgName("after")->Arg(0)->Arg(9000)->Unit(benchmark::kMicrosecond);

// The newest of many batches.
void StoreListBatches(benchmark::State& state) {
  WaitingStore store;
  const auto batches = static_cast<uint64_t>(state.range(0));
  if (!Expect(state, store.ok() && store.Submit(1, batches, 1), "no store, or a batch was not accepted")) return;
  const auto reader = (*store).Read();
  if (!Expect(state, reader.ok(), "no reader")) return;
  const worker::BatchQuery query{.owner = "ann"};
  for (auto _ : state) {
    const auto list = (*reader)->List(query, 0, 100);
    if (!Expect(state, list.ok() && list->size() == 100 && list->front().id == batches, "these are not the newest")) break;
  }
  CountItems(state, 100);
}
BENCHMARK(StoreListBatches)->ArgName("batches")->Arg(100)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace jobd::bench
