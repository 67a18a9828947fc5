// Reading the job's two pipes into its log.
#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "launch/shim/job_log.h"

namespace jobd::launch {

// Not thread-safe.
//
// A chatty job that writes line by line would wake us for each line. So as long as output keeps coming densely, a little of it is
// let gather before the next read (measured: 80-byte lines 155 -> 477 MB/s at a tenth of the CPU); the first bytes after a silence,
// and lines that come one by one, are taken at once.
class Capture {
 public:
  struct Pipes {
    base::Fd out;  // the job's ends
    base::Fd err;
  };
  // Makes both pipes. The log is borrowed and outlives the capture.
  static base::Result<Capture> Create(JobLog& log, Pipes& pipes);
  Capture(Capture&&) = default;
  Capture& operator=(Capture&&) = delete;

  // What to poll for: at most two entries; a closed stream's is -1.
  std::array<pollfd, 2> PollSet() const;
  // Reads a chunk of each stream that has one. Call when poll says so.
  void Read(const std::array<pollfd, 2>& ready, const base::Clock& clock);
  // Reads until both pipes are empty or closed; for when the job has ended. Does not wait for a foreign process that holds a pipe.
  void Drain(const base::Clock& clock);
  // Idle() would give memory back.
  bool holds_memory() const { return used_; }
  // Gives the buffer's memory back, after a while without output.
  void Idle();

 private:
  struct Unmap {
    void operator()(std::byte* buffer) const;
  };
  using Buffer = std::unique_ptr<std::byte, Unmap>;

  Capture(JobLog& log, base::Fd out, base::Fd err, Buffer buffer);
  // True when the stream may have more at once.
  bool ReadOnce(size_t stream, base::Nanos time, base::Nanos now);
  void Grow();

  JobLog* log_;
  std::array<base::Fd, 2> pipes_;
  Buffer buffer_;
  bool used_ = false;  // beyond its first page
  bool grown_ = false;
  base::Nanos last_read_ = 0;
  size_t last_size_ = 0;  // of both streams, at the last read
};

}  // namespace jobd::launch
