// One reader of the output of a job or of a whole batch, merged in order of arrival. It reads files at offsets: it never slows the
// job or another reader, and its memory does not grow with the log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/log_index.h"
#include "worker/model/model.h"

namespace jobd::worker {

struct LogQuery {
  BatchName batch;
  std::optional<uint32_t> index;         // absent: all jobs
  std::optional<launch::Stream> stream;  // absent: both
  // At most one of the four.
  std::optional<std::string> cursor;
  std::optional<uint64_t> tail_lines;
  std::optional<base::Nanos> since;  // wall clock
  std::optional<uint64_t> offset;    // needs index and stream
  // Wall clock: only what arrived by then. With follow, the session ends shortly after that time even if jobs still run; those have
  // no LogEnd.
  std::optional<base::Nanos> until;
  bool follow = false;
  // Of each job's attempts, which lie one behind the other in its output. An offset counts all of them.
  static constexpr uint32_t kAllAttempts = 0;
  static constexpr uint32_t kLastAttempt = UINT32_MAX;  // the last there is when the session is opened, and any later one
  uint32_t attempt = kAllAttempts;                      // or one, from 1
};

struct LogChunk {
  uint32_t index = 0;
  launch::Stream stream = launch::Stream::kOut;
  uint64_t offset = 0;
  base::Nanos time = 0;
  std::string data;
  uint64_t dropped = 0;  // bytes missing just before this chunk
  uint32_t attempt = 1;
};

struct LogEnd {
  uint32_t index = 0;
  uint32_t attempt = 0;
  Outcome outcome;
  uint64_t dropped_bytes = 0;
};

struct LogPage {
  std::vector<LogChunk> chunks;
  std::vector<LogEnd> ends;  // when following: jobs whose output is all delivered with this page
  std::string cursor;        // resumes behind this page
  bool more = false;         // the page was full: there may be more at once
  bool finished = false;     // nothing will ever come after this page
  bool empty() const { return chunks.empty() && ends.empty(); }
};

// Not thread-safe: one call at a time, from any thread. Destroying it cancels an armed wake-up; when the destructor returns, the
// callback is not running and will not.
class LogSession {
 public:
  virtual ~LogSession() = default;
  // What is there now, at most max_bytes of data. An empty page that is not finished means: nothing yet, Arm.
  virtual base::Result<LogPage> Read(size_t max_bytes) = 0;
  // Calls wake once, on a thread of the worker's, as soon as Read may have more; at once if it already may. `wake` must not block
  // and must not destroy the session.
  virtual void Arm(std::function<void()> wake) = 0;
};

}  // namespace jobd::worker
