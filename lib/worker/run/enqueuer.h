// How jobs come to the queue: with the quotas of their owners, whichever way they come.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "worker/model/limits.h"
#include "worker/model/request.h"
#include "worker/plan/queue.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class Enqueuer {
 public:
  // All are borrowed and outlive this. `limits` are those in force.
  Enqueuer(Queue& queue, LiveReader& reader, const WorkerLimits& limits) : queue_(queue), reader_(reader), limits_(limits) {
    ApplyQuotas();
  }

  // All jobs of the batch are queued, or held with it. `max_running`: of the owner, as it was submitted; what the limits say of the
  // owner goes before.
  void Add(const Queue::Batch& batch, uint32_t max_running);
  // As that, from the store.
  void Add(const ActiveBatch& batch);
  // The batch is in the queue, if only with nothing queued.
  base::Status Ensure(uint64_t batch);
  // As that, of a batch that was read before: cannot fail.
  void Ensure(const ActiveBatch& batch);
  // Gives the quotas in force to all owners that have one: the limits have changed.
  void ApplyQuotas();

  // Whether an owner may have so many jobs queued in addition. kResourceExhausted.
  base::Status CheckRoom(const Submitter& submitter, uint64_t jobs) const;
  // As that, for jobs that come back by a retry: whoever asks for it, the quota is the owner's.
  base::Status CheckRoom(const std::string& owner, uint64_t jobs) const;

 private:
  void SetQuota(const std::string& owner, uint32_t as_submitted);

  Queue& queue_;
  LiveReader& reader_;
  const WorkerLimits& limits_;
};

}  // namespace jobd::worker
