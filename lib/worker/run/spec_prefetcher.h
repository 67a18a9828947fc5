// Reads what was submitted ahead of the starts that need it: one look into the database for many jobs of a batch in a row, instead
// of one for each.
//
// What was submitted never changes, so nothing that happens to a job in the meantime (cancel, hold, retry) makes it untrue: what is
// not asked for is dropped. Memory is bounded, by slice and in all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "base/result.h"
#include "worker/model/model.h"
#include "worker/store/store.h"

namespace jobd::worker {

// One thread.
class SpecPrefetcher {
 public:
  static constexpr uint32_t kJobs = 64;             // in a slice
  static constexpr size_t kSliceBytes = 64 * 1024;  // of a batch
  static constexpr size_t kBytes = 1024 * 1024;     // of all; beyond, nothing is read ahead

  // The spec of a job, as LiveReader::Spec. `in_order`: the jobs behind it will be asked for next.
  base::Result<JobSpec> Take(LiveReader& reader, uint64_t batch, uint32_t index, bool in_order);
  // Nothing of the batch will be asked for soon.
  void Forget(uint64_t batch);
  // What is held: never more than kBytes and a slice.
  size_t bytes() const { return bytes_; }

 private:
  struct Slice {
    uint32_t first = 0;  // the job of the front
    std::deque<EncodedSpec> specs;
  };
  static size_t Size(const EncodedSpec& spec) { return sizeof spec + spec.spec.size() + spec.stdin_data.size(); }
  // Takes the front of a slice that has one.
  EncodedSpec Pop(Slice& slice);

  std::unordered_map<uint64_t, Slice> slices_;  // by batch; none is empty
  size_t bytes_ = 0;
};

}  // namespace jobd::worker
