// Where a reader of a batch's merged output is. It fits a text that a client keeps; it stays valid over restarts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/logs/job_log_reader.h"

namespace jobd::worker {

// Every start up to last_start has been looked at. Of the jobs they started those in `open` have more to give; the others are done.
struct LogCursor {
  struct Open {
    uint32_t attempt = 0;
    LogPosition position;
    bool operator==(const Open&) const = default;
  };
  int64_t last_start = 0;
  uint32_t ends_after = 0;  // ends of jobs that never started were told up to this index
  base::Nanos since = 0;
  // Who asked for last attempts is given those that were the last among the starts up to here, and all later ones. 0: who did not.
  int64_t last_by = 0;
  std::map<uint32_t, Open> open;
  bool operator==(const LogCursor&) const = default;
};

std::string EncodeCursor(const LogCursor& cursor);
// Nothing when the bytes are no cursor.
std::optional<LogCursor> DecodeCursor(std::string_view bytes);

}  // namespace jobd::worker
