#include "worker/run/batch_leases.h"

#include <memory>
#include <utility>

namespace jobd::worker {

base::Result<ActiveBatch> BatchLeases::Find(const JobSelector& jobs) const {
  JOBD_ASSIGN_OR_RETURN(const uint64_t id, parts_.reader.Find(jobs.batch, false));
  if (IsLent(id, BatchUse::kRemoval)) return base::Error(base::Code::kNotFound, "no such batch");
  JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, parts_.reader.Active(id));
  if (jobs.index && (*jobs.index == 0 || *jobs.index > batch.view.job_count)) {
    return base::Error(base::Code::kNotFound, "no such job");
  }
  return batch;
}

bool BatchLeases::IsOver(const BatchView& batch) const {
  const Use* const use = UseOf(batch.id);
  return batch.ended_at != 0 && !parts_.table.batches().contains(batch.id) && !parts_.queue.Has(batch.id) &&
         !(use != nullptr && use->retry);
}

void BatchLeases::BeginSubmission(const BatchName& batch) { ++submissions_[batch].count; }

void BatchLeases::EndSubmission(const BatchName& batch) {
  const auto found = submissions_.find(batch);
  if (--found->second.count > 0) return;
  const auto behind = std::move(found->second.behind);
  submissions_.erase(found);
  for (const auto& work : behind) work();
}

bool BatchLeases::DeferBehindSubmission(const BatchName& batch, std::function<void()> work) {
  const auto found = submissions_.find(batch);
  if (found == submissions_.end()) return false;
  found->second.behind.push_back(std::move(work));
  return true;
}

bool BatchLeases::DeferBehindSubmissions(std::function<void()> work) {
  if (submissions_.empty()) return false;
  auto left = std::make_shared<size_t>(submissions_.size());
  for (auto& [name, submission] : submissions_) {
    submission.behind.emplace_back([left, work] {
      if (--*left == 0) work();
    });
  }
  return true;
}

bool BatchLeases::BeginRetry(uint64_t batch) {
  Use& use = uses_[batch];
  return !std::exchange(use.retry, true);
}

void BatchLeases::EndRetry(uint64_t batch) {
  Use& use = uses_.at(batch);
  use.retry = false;
  const auto behind = std::exchange(use.behind_retry, {});
  ForgetIfFree(batch);
  for (const auto& work : behind) work();
}

bool BatchLeases::IsRetryAwaited(uint64_t batch) const {
  const Use* const use = UseOf(batch);
  return use != nullptr && !use->behind_retry.empty();
}

bool BatchLeases::DeferBehindRetry(uint64_t batch, std::function<void()> work) {
  const auto found = uses_.find(batch);
  if (found == uses_.end() || !found->second.retry) return false;
  found->second.behind_retry.push_back(std::move(work));
  return true;
}

std::vector<uint64_t> BatchLeases::Retried() const {
  std::vector<uint64_t> batches;
  for (const auto& [id, use] : uses_) {
    if (use.retry) batches.push_back(id);
  }
  return batches;
}

bool BatchLeases::BeginHold(uint64_t batch) {
  Use& use = uses_[batch];
  return !std::exchange(use.hold, true);
}

void BatchLeases::EndHold(uint64_t batch) {
  uses_.at(batch).hold = false;
  ForgetIfFree(batch);
}

bool BatchLeases::IsLent(uint64_t batch, BatchUse use) const {
  const Use* const now = UseOf(batch);
  return now != nullptr && now->lent == use;
}

const BatchLeases::Use* BatchLeases::UseOf(uint64_t batch) const {
  const auto found = uses_.find(batch);
  return found == uses_.end() ? nullptr : &found->second;
}

void BatchLeases::ForgetIfFree(uint64_t batch) {
  const Use& use = uses_.at(batch);
  if (!use.retry && !use.hold && !use.lent) uses_.erase(batch);
}

Lending BatchLeases::Lend(const Candidate& candidate, BatchUse use) {
  const auto now = parts_.reader.Batch(candidate.batch);
  if (!now.ok()) return now.error().code() == base::Code::kNotFound ? Lending::kGone : Lending::kBusy;
  const Use* const other = UseOf(candidate.batch);
  if (other != nullptr && other->lent) return *other->lent == BatchUse::kRemoval ? Lending::kGone : Lending::kBusy;
  if (!IsOver(*now)) return Lending::kBusy;
  if (now->ended_at != candidate.ended_at) return Lending::kGone;
  uses_[candidate.batch].lent = use;
  return Lending::kLent;
}

void BatchLeases::Borrow(std::vector<Candidate> candidates, BatchUse use, std::function<void(std::vector<Lending>)> done) {
  parts_.loop.Post([this, candidates = std::move(candidates), use, done = std::move(done)] {
    std::vector<Lending> answers;
    answers.reserve(candidates.size());
    for (const Candidate& candidate : candidates) answers.push_back(Lend(candidate, use));
    done(std::move(answers));
  });
}

void BatchLeases::GiveBack(std::vector<uint64_t> batches, std::vector<Change> changes, std::function<void(base::Status)> done) {
  parts_.loop.Post([this, batches = std::move(batches), changes = std::move(changes), done = std::move(done)]() mutable {
    parts_.journal.Append(std::move(changes), [this, batches = std::move(batches), done = std::move(done)](base::Status status) {
      for (const uint64_t batch : batches) {
        uses_.at(batch).lent.reset();
        ForgetIfFree(batch);
        parts_.announcer.PublishBatch(batch);
      }
      done(std::move(status));
    });
  });
}

}  // namespace jobd::worker
