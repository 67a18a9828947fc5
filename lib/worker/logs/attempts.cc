#include "worker/logs/attempts.h"

namespace jobd::worker {

base::Result<Attempts> Attempts::Read(LogReader& reader, uint64_t batch, uint32_t index, uint32_t latest) {
  Attempts attempts;
  if (latest > 1) {
    JOBD_ASSIGN_OR_RETURN(attempts.later_, reader.StartsAgain(batch, index));
  }
  return attempts;
}

uint32_t Attempts::LatestUpTo(int64_t seq) const {
  uint32_t latest = 1;
  for (const StartRow& start : later_) {
    if (start.seq <= seq) latest = start.attempt;
  }
  return latest;
}

std::optional<uint64_t> Attempts::FirstRecord(uint32_t attempt) const {
  if (attempt <= 1) return 0;
  // A number may be missing, of a start that came to nothing, and it may be there twice: then nothing ran the first time.
  for (const StartRow& start : later_) {
    if (start.attempt >= attempt) return start.log_base;
  }
  return std::nullopt;
}

uint32_t Attempts::Of(uint64_t record) const {
  uint32_t attempt = 1;
  for (const StartRow& start : later_) {
    if (start.log_base <= record) attempt = start.attempt;
  }
  return attempt;
}

}  // namespace jobd::worker
