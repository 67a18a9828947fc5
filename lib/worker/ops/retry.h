// A client's retry: jobs that have ended wait again, for another attempt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// Goes through its batch in slices, so that neither the loop nor memory feels how large it is. Lives on the loop's thread until it
// is answered.
class RetryOp : public std::enable_shared_from_this<RetryOp> {
 public:
  // From any thread. `refusal`: why nothing more may be queued, if so, as the caller knows. The answer comes on the loop, when the
  // last slice is committed. kAborted while another retry of the batch is under way, or when it was cut short.
  static void Post(Engine& engine, JobSelector jobs, bool failed_only, std::optional<base::Error> refusal, Callback<uint32_t> done);

  RetryOp(Engine& engine, JobSelector jobs, bool failed_only, std::optional<base::Error> refusal, Callback<uint32_t> done);

 private:
  struct Slice {
    std::vector<uint32_t> again;
    std::vector<Change> changes;
    bool last = true;
  };
  void Run();
  std::optional<base::Error> Refusal(uint64_t jobs) const;
  bool MayRetry(JobState state) const;
  void NextSlice();
  base::Result<Slice> ReadSlice();
  void Add(uint32_t index, const JobRow& row, Slice& slice) const;
  void OnCommitted(const Slice& slice, base::Status status);
  void QueueAgain(uint32_t index);
  void Finish(const base::Status& status);

  Engine& engine_;
  const JobSelector jobs_;
  const bool failed_only_;
  const std::optional<base::Error> refusal_;
  const Callback<uint32_t> done_;
  ActiveBatch about_;  // as it was when the retry began: a hold waits until it is over
  uint64_t batch_ = 0;
  uint32_t after_ = 0;    // done up to here
  int64_t reserved_ = 0;  // in the queue, of what is still to come
  uint32_t count_ = 0;
};

}  // namespace jobd::worker
