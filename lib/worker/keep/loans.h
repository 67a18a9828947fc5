// What the maintenance thread has borrowed of the loop. One loan is out at a time, so that no slice meets a batch which another
// slice of this thread has borrowed: whoever comes meanwhile waits for its turn.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "worker/keep/maintenance_thread.h"
#include "worker/model/model.h"
#include "worker/run/upkeep.h"

namespace jobd::worker {

// Used on the maintenance thread alone, and all that it calls back comes there too, unless the thread ends before.
class Loans {
 public:
  using Answers = std::vector<Lending>;  // one for each batch, in their order

  Loans(BatchLender& lender, std::shared_ptr<MaintenanceThread> thread) : lender_(lender), thread_(std::move(thread)) {}

  // Whoever gets the answers must call GiveBack, even if nothing was lent.
  void Borrow(const std::vector<BatchView>& batches, BatchUse use, std::function<void(Answers)> then);
  // Commits `changes` and ends the loan that is out. `then` comes before the next loan.
  void GiveBack(std::vector<Change> changes, std::function<void(base::Status)> then);
  // Commits without a loan.
  void Commit(std::vector<Change> changes, std::function<void(base::Status)> then);

 private:
  struct Request {
    std::vector<BatchLender::Candidate> candidates;
    BatchUse use;
    std::function<void(Answers)> then;
  };
  void AskForNext();

  BatchLender& lender_;
  const std::shared_ptr<MaintenanceThread> thread_;  // shared, so that an answer that comes too late finds it
  std::deque<Request> waiting_;
  bool out_ = false;            // from the question on
  std::vector<uint64_t> lent_;  // of the loan that is out
};

}  // namespace jobd::worker
