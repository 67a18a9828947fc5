// Compresses the output of batches that ended long enough ago, slice by slice, so that deletions and expansions get their turn.
// Batches are gone through in the order of their ends, from the first one at each start of the process: so what was cut short, and
// what a wall clock that was set back has hidden, is found again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/keep/loans.h"
#include "worker/model/model.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Used on the maintenance thread alone.
class Compression {
 public:
  // `loans` is borrowed and outlives this.
  Compression(int log_dir, std::shared_ptr<MaintenanceThread> thread, Loans& loans)
      : log_dir_(log_dir), thread_(std::move(thread)), loans_(loans) {}

  struct Due {
    std::vector<BatchView> batches;   // in the order of their ends
    std::optional<base::Nanos> next;  // wall clock; with no batch due: when the next one is, if ever
  };
  // What is to be compressed by `now` (wall clock), so long after its end; 0: nothing, ever.
  base::Result<Due> FindDue(RetentionReader& reader, base::Nanos compress_after, base::Nanos now) const;

  enum class Progress {
    kDone,   // FindDue says what is left
    kStuck,  // there is something to compress that cannot be now
  };
  // Compresses of these batches, which FindDue has given, what one slice takes. Leaves `min_free_bytes` of the disk free.
  void CompressSlice(std::vector<BatchView> batches, uint64_t min_free_bytes, std::function<void(Progress)> done);

 private:
  using Place = EndedPlace;
  static Place PlaceOf(const BatchView& batch) { return {.ended_at = batch.ended_at, .id = batch.id}; }
  // One slice under way.
  struct Slice {
    uint64_t min_free_bytes = 0;
    uint64_t bytes = 0;  // read so far
    uint32_t jobs = 0;
    bool stuck = false;
    std::vector<Change> sizes;
    bool IsFull() const;
  };
  // The first batch that was not finished, and with it all behind it, is left to another slice: then false.
  bool CompressBatch(const BatchView& batch, Slice& slice);

  const int log_dir_;
  const std::shared_ptr<MaintenanceThread> thread_;
  Loans& loans_;
  Place done_;              // compressed up to here
  Place begun_;             // the batch that was begun behind it,
  uint32_t jobs_done_ = 0;  // how many of its jobs are done,
  bool any_ = false;        // and whether one of these has a compressed file
};

}  // namespace jobd::worker
