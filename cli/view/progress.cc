#include "cli/view/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/units.h"
#include "cli/view/states.h"
#include "cli/view/table.h"

namespace jobd::cli {

BatchCounts CountJobs(const v1::Batch& batch) {
  BatchCounts counts;
  counts.total = batch.job_count();
  for (const v1::StateCount& entry : batch.counts()) {
    const bool active = entry.state() >= v1::JOB_STATE_STARTING && entry.state() <= v1::JOB_STATE_STOPPING;
    if (IsFinal(entry.state())) counts.done += entry.count();
    if (IsFailure(entry.state()) && entry.state() != v1::JOB_STATE_CANCELLED) counts.failed += entry.count();
    if (active) counts.running += entry.count();
  }
  return counts;
}

std::string ProgressText(const BatchCounts& counts, uint32_t done_since, base::Nanos elapsed, const std::string& waits) {
  std::string text =
      std::to_string(counts.done) + "/" + std::to_string(counts.total) + " done, " + std::to_string(counts.running) + " running";
  if (!waits.empty() && counts.running == 0 && counts.done < counts.total)
    return text + (counts.failed > 0 ? ", " + std::to_string(counts.failed) + " failed" : "") + ", waits: " + waits;
  if (counts.failed > 0) text += ", " + std::to_string(counts.failed) + " failed";
  if (done_since == 0 || elapsed < base::kNanosPerSecond) return text;
  const double rate = static_cast<double>(done_since) / (static_cast<double>(elapsed) / 1e9);
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
  text += number.data();
  const uint32_t left = counts.total - std::min(counts.done, counts.total);
  const auto seconds = static_cast<base::Nanos>(static_cast<double>(left) / rate) + 1;
  if (left > 0) text += ", " + base::FormatDuration(seconds * base::kNanosPerSecond) + " left";
  return text;
}

ProgressLine::ProgressLine(OutputStream& terminal, bool wanted) : terminal_(terminal), active_(wanted && terminal.is_terminal()) {
  if (active_) thread_ = std::thread([this] { Run(); });
}

ProgressLine::~ProgressLine() {
  if (!active_) return;
  Clear();
  state_.Lock()->stopping = true;
  wake_.notify_one();
  thread_.join();
}

void ProgressLine::Update(const BatchCounts& counts) {
  if (!active_) return;
  {
    const auto state = state_.Lock();
    if (state->begun == 0) {
      state->begun = clock_.Monotonic();
      state->done_at_begin = counts.done;
    }
    state->counts = counts;
    state->wanted = state->changed = true;
  }
  wake_.notify_one();
}

void ProgressLine::Clear() {
  const auto state = state_.Lock();
  if (state->shown) terminal_.Write("\r\033[K");
  state->wanted = state->shown = false;
}

void ProgressLine::Run() {
  constexpr std::chrono::milliseconds kPause{100};
  constexpr std::chrono::seconds kTick{1};
  auto state = state_.Lock();
  while (!state->stopping) {
    if (state->wanted) Draw(*state);
    state->changed = false;
    state.WaitFor(wake_, kPause, [&] { return state->stopping; });
    state.WaitFor(wake_, kTick, [&] { return state->stopping || state->changed; });
  }
}

void ProgressLine::SetWaits(const std::string& reason) {
  if (!active_) return;
  {
    const auto state = state_.Lock();
    if (state->waits == reason) return;
    state->waits = reason;
    state->changed = true;
  }
  wake_.notify_one();
}

void ProgressLine::Draw(State& state) {
  state.shown = true;
  const uint32_t done_since = state.counts.done - std::min(state.counts.done, state.done_at_begin);
  const std::string text = ProgressText(state.counts, done_since, clock_.Monotonic() - state.begun, state.waits);
  terminal_.Write("\r\033[K" + Ellipsize(text, TerminalWidth(terminal_.fd()) - 1));
}

}  // namespace jobd::cli
