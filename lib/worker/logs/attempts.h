// The attempts of one job in its output, which has them one behind the other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "worker/store/readers.h"

namespace jobd::worker {

// A value: what the store knew when it was read.
class Attempts {
 public:
  Attempts() = default;
  // `latest`: the job's attempt by its row; for most jobs there is nothing to read.
  static base::Result<Attempts> Read(LogReader& reader, uint64_t batch, uint32_t index, uint32_t latest);

  // The latest that was started up to `seq`, of the batch's starts.
  uint32_t LatestUpTo(int64_t seq) const;
  // The first index record of the attempt, from 1; absent when no such one was started.
  std::optional<uint64_t> FirstRecord(uint32_t attempt) const;
  // The record behind its last one, once a later attempt was started.
  std::optional<uint64_t> EndRecord(uint32_t attempt) const { return FirstRecord(attempt + 1); }
  // Whose record it is.
  uint32_t Of(uint64_t record) const;

 private:
  std::vector<StartRow> later_;  // all but the first, in order
};

}  // namespace jobd::worker
