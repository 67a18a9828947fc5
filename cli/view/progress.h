// The progress of a batch, in one line.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "cli/view/output.h"

namespace jobd::v1 {
class Batch;
}

namespace jobd::cli {

struct BatchCounts {
  uint32_t total = 0;
  uint32_t done = 0;
  uint32_t running = 0;
  uint32_t failed = 0;  // without those that were cancelled
};
BatchCounts CountJobs(const v1::Batch& batch);

// "120/500 done, 8 running, 2 failed, 35/s, 11s left". `done_since` jobs ended in the last `elapsed` nanoseconds.
std::string ProgressText(const BatchCounts& counts, uint32_t done_since, base::Nanos elapsed);

// Keeps that line at the bottom of a terminal; does nothing elsewhere. Not thread-safe; the destructor takes the line away.
class ProgressLine {
 public:
  ProgressLine(OutputStream& terminal, bool wanted);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Redraws at most ten times a second.
  void Update(const BatchCounts& counts, base::Nanos now);
  void Clear();

 private:
  OutputStream& terminal_;
  const bool active_;
  bool shown_ = false;
  base::Nanos begun_ = 0;
  base::Nanos drawn_ = 0;
  uint32_t done_at_begin_ = 0;
};

}  // namespace jobd::cli
