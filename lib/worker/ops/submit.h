// A client's batch, on its way to the disk and into the queue.
#pragma once

#include <memory>
#include <optional>

#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// Lives on the loop's thread until it is answered.
class SubmitOp : public std::enable_shared_from_this<SubmitOp> {
 public:
  // From any thread. `batch` is checked and encoded; it may be refused already. `refusal`: why nothing more may be queued, if so,
  // as the caller knows. The answer comes on the loop, after the commit.
  static void Post(Engine& engine, Submitter submitter, NewBatch batch, std::optional<base::Error> refusal, Callback<Receipt> done);

  SubmitOp(Engine& engine, Submitter submitter, NewBatch batch, std::optional<base::Error> refusal, Callback<Receipt> done);

 private:
  void Run();
  std::optional<base::Error> Refusal() const;
  void OnStored(base::Result<Stored> stored);

  Engine& engine_;
  const Submitter submitter_;
  NewBatch batch_;  // until it is handed to the store
  const std::optional<base::Error> refusal_;
  const Callback<Receipt> done_;
  const BatchName name_;
  Queue::Batch entry_;
  int64_t reserved_ = 0;  // in the queue: submissions under way cannot exceed a bound together
};

}  // namespace jobd::worker
