// The progress of a batch, in one line.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/guarded.h"
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

// "120/500 done, 8 running, 2 failed, 35/s, 11s left". `done_since` jobs ended in the last `elapsed` nanoseconds. While nothing
// runs it says what for, where that is known: "0/1 done, 0 running, waits: all 8 slots are taken".
std::string ProgressText(const BatchCounts& counts, uint32_t done_since, base::Nanos elapsed, const std::string& waits = "");

// Keeps that line at the bottom of a terminal; does nothing elsewhere. A thread redraws it, ten times a second at most, and once a
// second while nothing changes, as time goes on. Thread-safe; the destructor takes the line away. While it is shown nobody else may
// write to the terminal.
class ProgressLine {
 public:
  ProgressLine(OutputStream& terminal, bool wanted);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Update(const BatchCounts& counts);
  // What the batch waits for, should nothing of it run; empty: not known. Escaped.
  void SetWaits(const std::string& reason);
  // Takes the line away until the next Update.
  void Clear();

 private:
  struct State {
    BatchCounts counts;
    std::string waits;
    bool wanted = false;   // there is something to show
    bool changed = false;  // since it was drawn
    bool shown = false;
    bool stopping = false;
    base::Nanos begun = 0;
    uint32_t done_at_begin = 0;
  };
  void Run();
  void Draw(State& state);

  OutputStream& terminal_;
  const bool active_;
  const base::SystemClock clock_;
  base::Guarded<State> state_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace jobd::cli
