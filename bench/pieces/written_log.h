// Logs of any length, written once for all the benchmarks that read them.
#pragma once

#include <cstdint>
#include <string>

#include "bench/pieces/piece.h"
#include "launch/contract/log_index.h"

namespace jobd::bench {

// The output of jobs 1 to `jobs`, each of `records` chunks of one line, in turn a millisecond apart. The first record is of stderr,
// the others of stdout. Of a long log only the last MiB of bytes is written, the rest is a hole; the index is whole.
class WrittenLog {
 public:
  WrittenLog(uint32_t jobs, uint64_t records, size_t line);

  int folder() const { return folder_.fd(); }
  uint32_t jobs() const { return jobs_; }
  uint64_t records() const { return records_; }
  size_t line() const { return line_; }
  // When record `number` of a job (both from 0 resp. 1) arrived.
  int64_t TimeOf(uint32_t job, uint64_t number) const { return kThen + static_cast<int64_t>(number * jobs_ + job - 1) * 1'000'000; }
  // Where it begins in the stream; number at least 1.
  uint64_t OffsetOf(uint64_t number) const { return (number - 1) * line_; }

 private:
  void Write(uint32_t job) const;

  TempFolder folder_;
  uint32_t jobs_;
  uint64_t records_;
  size_t line_;
};

// The log of one shape: made when it is first asked for, removed at the end of the program.
template <uint32_t jobs, uint64_t records, size_t line>
const WrittenLog& LogOf() {
  static const WrittenLog log(jobs, records, line);
  return log;
}

}  // namespace jobd::bench
