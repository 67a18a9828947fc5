// Between the loop and the maintenance thread: what each asks of the other. All of it are messages; neither sees the other's state.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "worker/model/model.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Who works on a batch that has ended. One at a time: what is lent to one is kBusy for others, and requests of clients wait for it
// or are refused, as BatchLeases says.
enum class BatchUse {
  kRemoval,      // it is gone for clients from now on
  kCompression,  // a job of it that is retried waits until its output is plain again
};

enum class Lending {
  kLent,
  kBusy,  // it lives, or somebody else works on it: later
  kGone,  // it was removed, or has ended anew since: another pass finds it
};

// The loop, for the maintenance thread. Thread-safe. `done` comes on the loop's thread and must not block: the asker posts on.
class BatchLender {
 public:
  virtual ~BatchLender() = default;
  struct Candidate {
    uint64_t batch = 0;
    base::Nanos ended_at = 0;  // as it was found
  };
  // One answer for each candidate, in their order. What is kLent is so until GiveBack.
  virtual void Borrow(std::vector<Candidate> candidates, BatchUse use, std::function<void(std::vector<Lending>)> done) = 0;
  // Commits `changes`, behind everything that the loop decided before; then the batches are free again (if they still are), and
  // their watchers are told. With no batches: commits alone.
  virtual void GiveBack(std::vector<uint64_t> batches, std::vector<Change> changes, std::function<void(base::Status)> done) = 0;
};

// The maintenance thread, for the loop. Thread-safe.
class Upkeep {
 public:
  virtual ~Upkeep() = default;
  // Whether a job has compressed output, which Expand would have to make plain first. One look into the batch's folder.
  virtual bool IsCompressed(const BatchName& batch, uint32_t index) = 0;
  // Makes the earlier output of a job plain again, so that another attempt can append to it; behind what is being compressed.
  // `done` comes on the maintenance thread.
  virtual void Expand(launch::JobKey key, BatchName batch, std::function<void(base::Status)> done) = 0;
  // A batch has ended, or ended batches have changed: retention looks again, soon.
  virtual void OnBatchEnded() = 0;
};

}  // namespace jobd::worker
