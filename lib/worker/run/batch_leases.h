// Who works on a batch, and so what has to wait and what is refused meanwhile. The one place that says so:
//
//   asked for \ while    it is submitted  it is retried      a hold or release is recorded  it is removed  it is compressed
//   cancel               waits            waits, cuts it     goes on                        not found      goes on
//   hold, release        waits            waits, cuts it     refused                        not found      goes on
//   retry                waits            refused            goes on                        not found      goes on (1)
//   removal              busy             busy               goes on                        gone           busy
//   compression          busy             busy               goes on                        gone           busy
//   signal               goes on          goes on            goes on                        not found      goes on
//
// "busy": so is a batch that has not ended, see Lending. "waits, cuts it": a retry goes through its batch in slices, and ends with
// the slice that it is at when somebody waits for it; what is asked of a batch must not miss jobs that are on their way back to its
// queue. "refused" is kAborted: the same may be asked again. (1) A job that is retried is started when its output is plain: see
// Upkeep::Expand.
//
// A submission is registered here, by name, before it is committed: who knows its ID may ask for its end before the loop knows its
// number, and must not be told that there was nothing to cancel.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "worker/model/model.h"
#include "worker/model/request.h"
#include "worker/run/announcer.h"
#include "worker/run/job_table.h"
#include "worker/run/journal.h"
#include "worker/run/loop.h"
#include "worker/run/upkeep.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread, but for what BatchLender promises.
class BatchLeases final : public BatchLender {
 public:
  // All are borrowed and outlive the leases.
  struct Parts {
    Loop& loop;
    LiveReader& reader;
    const Queue& queue;
    const JobTable& table;
    Journal& journal;
    Announcer& announcer;
  };
  explicit BatchLeases(Parts parts) : parts_(parts) {}

  // The batch, with the index checked. kNotFound.
  base::Result<ActiveBatch> Find(const JobSelector& jobs) const;
  // Ended, and nothing of it is left to come.
  bool IsOver(const BatchView& batch) const;

  void BeginSubmission(const BatchName& batch);
  void EndSubmission(const BatchName& batch);
  // True: a batch of this name is being submitted, and `work` is done when that is over.
  bool DeferBehindSubmission(const BatchName& batch, std::function<void()> work);
  // As that, for all batches that are being submitted now.
  bool DeferBehindSubmissions(std::function<void()> work);

  // False: one is under way.
  bool BeginRetry(uint64_t batch);
  void EndRetry(uint64_t batch);
  // Somebody waits for the retry to end.
  bool IsRetryAwaited(uint64_t batch) const;
  // True: the batch is being retried, and `work` is done when that is over.
  bool DeferBehindRetry(uint64_t batch, std::function<void()> work);
  std::vector<uint64_t> Retried() const;

  // False: one is being recorded.
  bool BeginHold(uint64_t batch);
  void EndHold(uint64_t batch);

  bool IsBeingCompressed(uint64_t batch) const { return IsLent(batch, BatchUse::kCompression); }

  void Borrow(std::vector<Candidate> candidates, BatchUse use, std::function<void(std::vector<Lending>)> done) override;
  void GiveBack(std::vector<uint64_t> batches, std::vector<Change> changes, std::function<void(base::Status)> done) override;

 private:
  // What is done with a batch now. The table holds those of whom something is.
  struct Use {
    bool retry = false;
    bool hold = false;
    std::optional<BatchUse> lent;
    std::vector<std::function<void()>> behind_retry;
  };
  bool IsLent(uint64_t batch, BatchUse use) const;
  const Use* UseOf(uint64_t batch) const;
  void ForgetIfFree(uint64_t batch);
  Lending Lend(const Candidate& candidate, BatchUse use);

  struct Submission {
    uint32_t count = 0;
    std::vector<std::function<void()>> behind;
  };

  const Parts parts_;
  std::map<BatchName, Submission> submissions_;
  std::unordered_map<uint64_t, Use> uses_;
};

}  // namespace jobd::worker
