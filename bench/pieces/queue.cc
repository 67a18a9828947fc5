// The planner: which job starts next.
#include "worker/plan/queue.h"

#include <string>
#include <vector>

#include "bench/pieces/piece.h"

namespace jobd::bench {
namespace {

using worker::Priority;
using worker::Queue;

// Batches of equal size, dealt out to owners and priorities in turn; ids count from 1.
struct Load {
  uint32_t batches = 1;
  uint32_t jobs_each = 1;
  uint32_t owners = 1;
  uint32_t priorities = 1;
  uint32_t parallel = 0;
  uint64_t jobs() const { return uint64_t{batches} * jobs_each; }
};

Queue::Batch BatchOf(const Load& load, uint32_t number) {
  static constexpr Priority kPriorities[] = {Priority::kNormal, Priority::kUrgent, Priority::kLow};
  return {.id = number + 1,
          .owner = "owner-" + std::to_string(number % load.owners),
          .priority = kPriorities[number / load.owners % load.priorities],
          .job_count = load.jobs_each,
          .parallel = load.parallel};
}

void Fill(Queue& queue, const Load& load) {
  for (uint32_t i = 0; i < load.batches; ++i) queue.Add(BatchOf(load, i));
}

Load LoadOf(const benchmark::State& state) {
  return {.batches = static_cast<uint32_t>(state.range(0)),
          .jobs_each = static_cast<uint32_t>(state.range(1)),
          .owners = static_cast<uint32_t>(state.range(2)),
          .priorities = static_cast<uint32_t>(state.range(3))};
}

// Every job is picked and done, two running at any time; a batch that is used up is removed, as the worker does.
void QueueDrain(benchmark::State& state) {
  const Load load = LoadOf(state);
  for (auto _ : state) {
    state.PauseTiming();
    Queue queue;
    Fill(queue, load);
    std::vector<uint32_t> left(load.batches + 1, load.jobs_each);
    state.ResumeTiming();
    uint64_t picked = 0;
    uint64_t before = 0;
    const auto done = [&](uint64_t batch) {
      queue.Done(batch);
      if (--left[batch] == 0) queue.Remove(batch);
    };
    while (const auto pick = queue.Next()) {
      ++picked;
      if (before != 0) done(before);
      before = pick->batch;
    }
    done(before);
    if (!Expect(state, picked == load.jobs() && queue.queued() == 0, "not every job was picked once")) break;
    if (!Expect(state, queue.Batches().empty(), "a batch is left")) break;
  }
  CountItems(state, static_cast<int64_t>(load.jobs()));
}
BENCHMARK(QueueDrain)
    ->ArgNames({"batches", "jobs", "owners", "priorities"})
    ->Args({1, 1000, 1, 1})
    ->Args({1, 100'000, 1, 1})
    ->Args({1000, 100, 1, 1})
    ->Args({1000, 100, 100, 3})
    ->Args({100'000, 1, 1, 1})
    ->Args({100'000, 1, 1000, 3})
    ->Unit(benchmark::kMillisecond);

// One pick beside a queue that stays as long as it is. Costs that grow with the queue show here.
void QueuePickRequeue(benchmark::State& state) {
  const Load load = LoadOf(state);
  Queue queue;
  Fill(queue, load);
  for (auto _ : state) {
    const auto pick = queue.Next();
    if (!Expect(state, pick.has_value(), "nothing was picked from a full queue")) break;
    queue.Requeue(pick->batch, pick->index, true);
  }
  (void)Expect(state, queue.queued() == load.jobs(), "a job was lost");
  CountItems(state, 1);
}
BENCHMARK(QueuePickRequeue)
    ->ArgNames({"batches", "jobs", "owners", "priorities"})
    ->Args({1, 1000, 1, 1})
    ->Args({1, 100'000, 1, 1})
    ->Args({1000, 100, 100, 3})
    ->Args({100'000, 1, 1000, 3});

// Batches at their bound in front of the one that may start: they must not be looked at each time.
void QueuePickBehindParallel(benchmark::State& state) {
  const Load load{.batches = static_cast<uint32_t>(state.range(0)), .jobs_each = 2, .parallel = 1};
  Queue queue;
  Fill(queue, load);
  for (uint32_t i = 0; i < load.batches; ++i) (void)queue.Next();
  queue.Add({.id = load.batches + 1, .owner = "owner-0", .job_count = 1});
  for (auto _ : state) {
    const auto pick = queue.Next();
    if (!Expect(state, pick && pick->batch == load.batches + 1, "another batch was picked")) break;
    queue.Requeue(pick->batch, pick->index, true);
  }
  CountItems(state, 1);
}
BENCHMARK(QueuePickBehindParallel)->ArgName("batches")->Arg(1)->Arg(10'000);

void QueueAddRemove(benchmark::State& state) {
  const Load load{.batches = static_cast<uint32_t>(state.range(0)), .jobs_each = 10, .owners = 10};
  Queue queue;
  Fill(queue, load);
  const Queue::Batch batch = BatchOf(load, load.batches);
  for (auto _ : state) {
    queue.Add(batch);
    queue.Remove(batch.id);
  }
  (void)Expect(state, queue.queued() == load.jobs() && !queue.Has(batch.id), "the queue is not what it was");
  CountItems(state, 1);
}
BENCHMARK(QueueAddRemove)->ArgName("batches")->Arg(1)->Arg(100'000);

// Jobs cancelled one by one, which makes exceptions in the batch.
void QueueTakeSingly(benchmark::State& state) {
  const auto jobs = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    Queue queue;
    Fill(queue, {.jobs_each = jobs});
    state.ResumeTiming();
    uint32_t taken = 0;
    for (uint32_t index = jobs; index > 0; --index) taken += queue.Dequeue(1, index) ? 1u : 0u;
    if (!Expect(state, taken == jobs && queue.queued() == 0, "a job was not there to be taken")) break;
  }
  CountItems(state, jobs);
}
BENCHMARK(QueueTakeSingly)->ArgName("jobs")->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace jobd::bench
