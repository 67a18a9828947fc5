#include "worker/keep/loans.h"

#include <utility>

namespace jobd::worker {

void Loans::Borrow(const std::vector<BatchView>& batches, BatchUse use, std::function<void(Answers)> then) {
  Request request{.use = use, .then = std::move(then)};
  for (const BatchView& batch : batches) request.candidates.push_back({.batch = batch.id, .ended_at = batch.ended_at});
  waiting_.push_back(std::move(request));
  AskForNext();
}

void Loans::AskForNext() {
  if (out_ || waiting_.empty()) return;
  out_ = true;
  Request request = std::move(waiting_.front());
  waiting_.pop_front();
  auto candidates = request.candidates;
  const BatchUse use = request.use;
  auto answered = [this, request = std::move(request)](const Answers& answers) {
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i] == Lending::kLent) lent_.push_back(request.candidates[i].batch);
    }
    request.then(answers);
  };
  lender_.Borrow(std::move(candidates), use, [thread = thread_, answered = std::move(answered)](const Answers& answers) {
    thread->Post([answered, answers] { answered(answers); });
  });
}

void Loans::GiveBack(std::vector<Change> changes, std::function<void(base::Status)> then) {
  auto ended = [this, then = std::move(then)](const base::Status& status) {
    out_ = false;
    then(status);
    AskForNext();
  };
  auto lent = std::exchange(lent_, {});
  if (lent.empty() && changes.empty()) return ended(base::Ok());
  lender_.GiveBack(std::move(lent), std::move(changes), [thread = thread_, ended = std::move(ended)](const base::Status& status) {
    thread->Post([ended, status] { ended(status); });
  });
}

void Loans::Commit(std::vector<Change> changes, std::function<void(base::Status)> then) {
  lender_.GiveBack({}, std::move(changes), [thread = thread_, then = std::move(then)](const base::Status& status) {
    thread->Post([then, status] { then(status); });
  });
}

}  // namespace jobd::worker
