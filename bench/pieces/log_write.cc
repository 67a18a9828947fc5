// A job's output as the shim writes it, and the records of its index.
#include "launch/shim/job_log.h"

#include <filesystem>
#include <span>
#include <string>

#include "bench/pieces/piece.h"
#include "launch/contract/log_index.h"

namespace jobd::bench {
namespace {

using launch::Stream;

void IndexEncode(benchmark::State& state) {
  launch::IndexRecord record{.time = kThen, .offset = 123'456'789, .length = 80};
  for (auto _ : state) {
    benchmark::DoNotOptimize(record);
    const auto bytes = launch::EncodeIndex(record);
    benchmark::DoNotOptimize(bytes);
  }
  const auto back = launch::DecodeIndex(launch::EncodeIndex(record));
  (void)Expect(state, back.ok() && *back == record, "another record came back");
  CountItems(state, 1);
}
BENCHMARK(IndexEncode);

void IndexDecode(benchmark::State& state) {
  const auto bytes = launch::EncodeIndex({.time = kThen, .offset = 123'456'789, .length = 80});
  for (auto _ : state) {
    const auto record = launch::DecodeIndex(bytes);
    if (!Expect(state, record.ok() && record->length == 80, "the record cannot be read")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(IndexDecode);

// Chunks of one size, and their records, into new files.
void LogAppend(benchmark::State& state) {
  constexpr int kChunks = 256;
  const TempFolder folder;
  const std::string chunk(static_cast<size_t>(state.range(0)), 'x');
  uint32_t index = 0;
  for (auto _ : state) {
    ++index;
    bool kept = false;
    {
      launch::JobLog log(folder.fd(), {}, index, 1, 0);
      for (int i = 0; i < kChunks; ++i)
        log.Append(Stream::kOut, std::as_bytes(std::span(chunk)), kThen + i, i * launch::kGatherWindow);
      log.Finish(kThen + kChunks);
      kept = log.kept(Stream::kOut) == kChunks * chunk.size() && log.dropped() == 0;
    }
    state.PauseTiming();
    const auto records = std::filesystem::file_size(folder.path() + "/" + launch::IndexName(index)) / launch::kIndexRecordSize;
    for (const auto& name : {launch::OutName(index), launch::IndexName(index)}) std::filesystem::remove(folder.path() + "/" + name);
    state.ResumeTiming();
    if (!Expect(state, kept && records == kChunks, "output was dropped")) break;
  }
  CountItems(state, kChunks);
  CountBytes(state, kChunks * chunk.size());
}
BENCHMARK(LogAppend)->ArgName("chunk")->Arg(80)->Arg(4096)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace jobd::bench
