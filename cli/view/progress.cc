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

std::string ProgressText(const BatchCounts& counts, uint32_t done_since, base::Nanos elapsed) {
  std::string text =
      std::to_string(counts.done) + "/" + std::to_string(counts.total) + " done, " + std::to_string(counts.running) + " running";
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

ProgressLine::ProgressLine(OutputStream& terminal, bool wanted) : terminal_(terminal), active_(wanted && terminal.is_terminal()) {}

ProgressLine::~ProgressLine() { Clear(); }

void ProgressLine::Update(const BatchCounts& counts, base::Nanos now) {
  if (!active_) return;
  if (begun_ == 0) {
    begun_ = now;
    done_at_begin_ = counts.done;
  }
  const bool finished = counts.done == counts.total;
  if (shown_ && !finished && now - drawn_ < base::kNanosPerSecond / 10) return;
  drawn_ = now;
  shown_ = true;
  const std::string text = ProgressText(counts, counts.done - std::min(counts.done, done_at_begin_), now - begun_);
  terminal_.Write("\r\033[K" + Ellipsize(text, TerminalWidth(terminal_.fd()) - 1));
}

void ProgressLine::Clear() {
  if (shown_) terminal_.Write("\r\033[K");
  shown_ = false;
}

}  // namespace jobd::cli
