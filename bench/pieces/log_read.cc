// Finding a place in a log (`logs -n`, `--since`, an offset), reading on from there, and the cursor that says where one was.
#include <optional>
#include <string>

#include "bench/pieces/piece.h"
#include "bench/pieces/written_log.h"
#include "worker/logs/job_log_reader.h"
#include "worker/logs/log_cursor.h"
#include "worker/logs/log_search.h"

namespace jobd::bench {
namespace {

using launch::Stream;
using worker::LogPosition;

constexpr size_t kLine = 16;

// `logs --since`: the middle, and another place each time.
template <uint64_t records>
void LogSeekTime(benchmark::State& state) {
  const WrittenLog& log = LogOf<1, records, kLine>();
  uint64_t number = records / 2;
  for (auto _ : state) {
    number = (number + 7919) % records;
    const auto found = worker::SeekTime(log.folder(), 1, log.TimeOf(1, number));
    if (!Expect(state, found.ok() && found->record == number, "found another record")) break;
  }
  CountItems(state, 1);
}
BENCHMARK_TEMPLATE(LogSeekTime, 1000);
BENCHMARK_TEMPLATE(LogSeekTime, 100'000);
BENCHMARK_TEMPLATE(LogSeekTime, 10'000'000);

template <uint64_t records>
void LogSeekOffset(benchmark::State& state) {
  const WrittenLog& log = LogOf<1, records, kLine>();
  uint64_t number = records / 2;
  for (auto _ : state) {
    number = 1 + (number + 7919) % (records - 1);
    const auto found = worker::SeekOffset(log.folder(), 1, Stream::kOut, log.OffsetOf(number) + 3);
    if (!Expect(state, found.ok() && found->record == number, "found another record")) break;
  }
  CountItems(state, 1);
}
BENCHMARK_TEMPLATE(LogSeekOffset, 1000);
BENCHMARK_TEMPLATE(LogSeekOffset, 10'000'000);

auto AllJobs(const WrittenLog& log) {
  return [&log, job = 0u]() mutable -> base::Result<std::optional<worker::TailJob>> {
    if (job == log.jobs()) return std::optional<worker::TailJob>();
    return std::optional<worker::TailJob>(worker::TailJob{.index = ++job});
  };
}

// `logs -n LINES` of jobs that all ran at once.
template <uint32_t jobs, uint64_t records>
void LogTail(benchmark::State& state) {
  const WrittenLog& log = LogOf<jobs, records, kLine>();
  const auto lines = static_cast<uint64_t>(state.range(0));
  // The last line of the last job is the latest of all, and each job has its share.
  const uint64_t rest = records - lines / jobs;
  for (auto _ : state) {
    const auto found = worker::SeekLines(log.folder(), std::nullopt, lines, AllJobs(log));
    if (!Expect(state, found.ok() && found->contains(jobs), "nothing was found")) break;
    // The cut is at the end of the record before, or at the beginning of this one: the same place.
    const LogPosition& at = found->at(jobs);
    if (!Expect(state, at.record == rest || (at.record + 1 == rest && at.out == log.OffsetOf(rest)), "found another line")) break;
  }
  CountItems(state, state.range(0));
}
BENCHMARK_TEMPLATE(LogTail, 1, 1000)->ArgName("lines")->Arg(10);
BENCHMARK_TEMPLATE(LogTail, 1, 100'000)->ArgName("lines")->Arg(10)->Arg(10'000);
BENCHMARK_TEMPLATE(LogTail, 1, 10'000'000)->ArgName("lines")->Arg(10);
BENCHMARK_TEMPLATE(LogTail, 200, 100)->ArgName("lines")->Arg(200)->Arg(10'000)->Unit(benchmark::kMillisecond);

// `logs -n 1 --stderr` where the one line of stderr was the first of all.
template <uint64_t records>
void LogTailOfRareStream(benchmark::State& state) {
  const WrittenLog& log = LogOf<1, records, kLine>();
  for (auto _ : state) {
    const auto found = worker::SeekLines(log.folder(), Stream::kErr, 1, AllJobs(log));
    if (!Expect(state, found.ok() && found->contains(1) && found->at(1).record == 0, "found another line")) break;
  }
  CountItems(state, static_cast<int64_t>(records));
}
BENCHMARK_TEMPLATE(LogTailOfRareStream, 100'000)->Unit(benchmark::kMillisecond);

// All records of a job, forward.
template <uint64_t records, size_t line>
void LogReadForward(benchmark::State& state) {
  const WrittenLog& log = LogOf<1, records, line>();
  worker::FrameCache cache;
  uint64_t bytes = 0;
  std::string data;
  for (auto _ : state) {
    worker::JobLogReader reader(1, Stream::kOut, LogPosition{}, cache);
    bool good = true;
    for (bytes = 0; good;) {
      const auto more = reader.Load(log.folder());
      good = more.ok();
      if (!good || !*more) break;
      data.clear();
      good = reader.Take(256 << 10, data).ok();
      bytes += data.size();
    }
    if (!Expect(state, good && bytes == log.OffsetOf(records), "not every byte was read")) break;
  }
  CountItems(state, static_cast<int64_t>(records - 1));
  CountBytes(state, bytes);
}
BENCHMARK_TEMPLATE(LogReadForward, 10'000, 80)->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(LogReadForward, 200, 64 << 10)->Unit(benchmark::kMillisecond);

worker::LogCursor CursorOf(int64_t jobs) {
  worker::LogCursor cursor{.last_start = kThen};
  for (uint32_t index = 1; index <= jobs; ++index) {
    cursor.open[index] = {.attempt = 1, .position = {.record = 100u + index, .out = 80u * index, .err = LogPosition::kUnknown}};
  }
  return cursor;
}

void CursorEncode(benchmark::State& state) {
  const auto cursor = CursorOf(state.range(0));
  size_t size = 0;
  for (auto _ : state) {
    const std::string bytes = worker::EncodeCursor(cursor);
    size = bytes.size();
    benchmark::DoNotOptimize(bytes.data());
  }
  (void)Expect(state, size > static_cast<size_t>(5 * state.range(0)), "the cursor is not in its bytes");
  CountItems(state, state.range(0));
  CountBytes(state, size);
}
BENCHMARK(CursorEncode)->ArgName("open")->Arg(1)->Arg(1000);

void CursorDecode(benchmark::State& state) {
  const auto cursor = CursorOf(state.range(0));
  const std::string bytes = worker::EncodeCursor(cursor);
  for (auto _ : state) {
    const auto back = worker::DecodeCursor(bytes);
    if (!Expect(state, back && back->open.size() == cursor.open.size(), "the cursor cannot be read")) break;
  }
  (void)Expect(state, worker::DecodeCursor(bytes) == cursor, "another cursor came back");
  CountItems(state, state.range(0));
}
BENCHMARK(CursorDecode)->ArgName("open")->Arg(1)->Arg(1000);

}  // namespace
}  // namespace jobd::bench
