#include "worker/run/enqueuer.h"

#include "worker/model/admission.h"

namespace jobd::worker {
namespace {

Queue::Batch EntryOf(const ActiveBatch& batch) {
  return {.id = batch.view.id,
          .owner = batch.view.name.owner,
          .priority = batch.view.options.priority,
          .job_count = batch.view.job_count,
          .parallel = batch.view.options.parallel,
          .held = batch.held};
}

}  // namespace

void Enqueuer::SetQuota(const std::string& owner, uint32_t as_submitted) {
  const auto named = limits_.quotas.find(owner);
  if (named != limits_.quotas.end()) return queue_.SetMaxRunning(owner, named->second.max_running);
  // Whoever is not in the users file any more keeps what their last batch was submitted with.
  if (as_submitted > 0) queue_.SetMaxRunning(owner, as_submitted);
}

void Enqueuer::Add(const Queue::Batch& batch, uint32_t max_running) {
  SetQuota(batch.owner, max_running);
  queue_.Add(batch);
}

void Enqueuer::Add(const ActiveBatch& batch) { Add(EntryOf(batch), batch.max_running); }

base::Status Enqueuer::Ensure(uint64_t batch) {
  if (queue_.Has(batch)) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, reader_.Active(batch));
  Ensure(about);
  return base::Ok();
}

void Enqueuer::Ensure(const ActiveBatch& batch) {
  if (queue_.Has(batch.view.id)) return;
  SetQuota(batch.view.name.owner, batch.max_running);
  queue_.AddEmpty(EntryOf(batch));
}

void Enqueuer::ApplyQuotas() {
  for (const auto& [owner, quota] : limits_.quotas) queue_.SetMaxRunning(owner, quota.max_running);
}

base::Status Enqueuer::CheckRoom(const Submitter& submitter, uint64_t jobs) const {
  const Load load{.queued = queue_.queued(), .queued_of_owner = queue_.QueuedOf(submitter.owner)};
  return CheckLoad(submitter, jobs, load, limits_);
}

base::Status Enqueuer::CheckRoom(const std::string& owner, uint64_t jobs) const {
  Submitter submitter{.owner = owner};
  if (const auto named = limits_.quotas.find(owner); named != limits_.quotas.end()) submitter.max_queued = named->second.max_queued;
  return CheckRoom(submitter, jobs);
}

}  // namespace jobd::worker
