// Exit records: as bytes, and in the file of a batch.
#include "launch/shim/exit_slot.h"

#include "bench/pieces/piece.h"
#include "launch/contract/exit_file.h"

namespace jobd::bench {
namespace {

launch::SlotRecord Record(uint32_t attempt) {
  launch::SlotRecord record;
  record.phase = launch::Phase::kEnded;
  record.attempt = attempt;
  record.shim_pid = 4242;
  record.job_pid = 4243;
  record.boot = 0x0123456789abcdef;
  record.started_at = kThen;
  record.ended_at = kThen + base::kNanosPerSecond;
  record.wall = base::kNanosPerSecond;
  record.exit = base::ExitStatus::Exited(3);
  record.user_cpu_us = 900'000;
  record.peak_memory = 12u << 20;
  record.stdout_bytes = 4096;
  return record;
}

void SlotEncode(benchmark::State& state) {
  auto record = Record(1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(record);
    const auto bytes = launch::EncodeSlot(record);
    benchmark::DoNotOptimize(bytes);
  }
  (void)Expect(state, launch::DecodeSlot(launch::EncodeSlot(record)).ok(), "the record cannot be read");
  CountItems(state, 1);
}
BENCHMARK(SlotEncode);

void SlotDecode(benchmark::State& state) {
  const auto bytes = launch::EncodeSlot(Record(1));
  for (auto _ : state) {
    const auto record = launch::DecodeSlot(bytes);
    if (!Expect(state, record.ok() && record->exit.value == 3, "another record came back")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(SlotDecode);

// What the server does at each change of a slot.
void SlotRead(benchmark::State& state) {
  constexpr uint32_t kSlots = 1000;
  const TempFolder folder;
  const auto file = launch::OpenExitFile(folder.fd(), kSlots);
  if (!Expect(state, file.ok(), "no exit file")) return;
  {
    const auto slot = launch::ExitSlot::Claim(folder.fd(), kSlots, 1);
    if (!Expect(state, slot.ok() && slot->Write(Record(1)).ok(), "the slot cannot be written")) return;
  }
  for (auto _ : state) {
    const auto record = launch::ReadSlot(file->get(), kSlots);
    if (!Expect(state, record.ok() && record->phase == launch::Phase::kEnded, "the slot holds something else")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(SlotRead);

// What a shim does with its slot: claims it and writes its three phases.
void SlotOfOneJob(benchmark::State& state) {
  const TempFolder folder;
  const auto file = launch::OpenExitFile(folder.fd(), 1);
  if (!Expect(state, file.ok(), "no exit file")) return;
  uint32_t attempt = 0;
  for (auto _ : state) {
    const auto slot = launch::ExitSlot::Claim(folder.fd(), 1, ++attempt);
    bool written = slot.ok();
    auto record = Record(attempt);
    for (const auto phase : {launch::Phase::kBorn, launch::Phase::kRunning, launch::Phase::kEnded}) {
      record.phase = phase;
      written = written && slot->Write(record).ok();
    }
    if (!Expect(state, written, "the slot cannot be claimed and written")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(SlotOfOneJob);

}  // namespace
}  // namespace jobd::bench
