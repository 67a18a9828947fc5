// Ends what waits and what runs of a batch: for a client, for a batch that ends at its first failure, for a service that stops now.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/launcher/launcher.h"
#include "worker/model/request.h"
#include "worker/plan/queue.h"
#include "worker/run/announcer.h"
#include "worker/run/batch_leases.h"
#include "worker/run/enqueuer.h"
#include "worker/run/job_table.h"
#include "worker/run/journal.h"
#include "worker/run/loop.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class BatchCanceller {
 public:
  // All are borrowed and outlive this. `on_room` as JobTable's.
  struct Parts {
    Loop& loop;
    LiveReader& reader;
    Queue& queue;
    Enqueuer& enqueuer;
    JobTable& table;
    BatchLeases& leases;
    Journal& journal;
    Announcer& announcer;
    Launcher& launcher;
    const base::Clock& clock;
    std::function<void()> on_room;
  };
  explicit BatchCanceller(Parts parts) : parts_(std::move(parts)) {}

  // Tells what runs to end, at once and whatever the disk says, and cancels what waits, behind a retry of the batch; `index`: this
  // job alone. `grace`: instead of the job's own. What is wanted for the record may come back (room, the disk): then what waits
  // does not start, is recorded as cancelled when there is room, and `done` gets an error that says so. Any other failure: it waits
  // on.
  void Cancel(uint64_t batch, std::optional<uint32_t> index, Reason reason, std::optional<base::Nanos> grace,
              Callback<CancelCounts> done) {
    CancelAll(batch, index, std::move(reason), grace, std::move(done), {});
  }

  // The first half alone, for who has to wait before the rest can be done. The rest counts those jobs, too.
  void EndRunning(uint64_t batch, std::optional<uint32_t> index, const Reason& reason, std::optional<base::Nanos> grace) {
    (void)TellRunning(batch, index, reason, grace);
  }

  // A job of the batch did not succeed, and is not tried again: if the batch is to end at its first failure, so do the others.
  void CancelRestIfFailFast(uint64_t batch, uint32_t failed);

  // Something is out of the queue whose end is not on disk yet: it may have to go back.
  bool IsRecording() const { return recording_ > 0; }

 private:
  struct Cancelling {
    uint64_t batch = 0;
    CancelCounts counts;
    std::vector<Change> changes;
    Queue::Waiting waiting;    // taken from the queue as a whole
    uint32_t single = 0;       // taken alone; 0: none
    bool single_held = false;  // it was held
    std::vector<launch::JobKey> stopping;
    std::vector<launch::JobKey> asked;   // of these, those that this one asked to end first
    Reason reason;                       // why
    bool recorded = false;               // that is on disk
    bool kept = false;                   // the launcher has it
    bool answered = false;               // with a failure; it goes on
    std::optional<base::Error> failure;  // why what waits was left alone

    bool TookFromQueue() const { return waiting.count > 0 || single != 0; }
  };
  using Keys = std::set<launch::JobKey>;
  // `told`: whom this cancel has told to end before it had to wait.
  void CancelAll(uint64_t batch, std::optional<uint32_t> index, Reason reason, std::optional<base::Nanos> grace,
                 Callback<CancelCounts> done, Keys told);
  Keys TellRunning(uint64_t batch, std::optional<uint32_t> index, const Reason& reason, std::optional<base::Nanos> grace);
  // Takes what waits out of the queue, and moves live jobs.
  Cancelling Collect(uint64_t batch, std::optional<uint32_t> index, const Reason& reason, std::optional<base::Nanos> grace,
                     const Keys& told);
  base::Status CollectWaiting(std::optional<uint32_t> index, const Reason& reason, Cancelling& out);
  void CollectLive(LiveJob& job, const Reason& reason, std::optional<base::Nanos> grace, const Keys& told, Cancelling& out);
  // Has the launcher keep why the jobs end, unless the store comes to have it soon.
  void KeepReasonSoon(const std::shared_ptr<Cancelling>& cancelling);
  void KeepReason(Cancelling& cancelling);
  void Record(std::shared_ptr<Cancelling> cancelling, Callback<CancelCounts> done);
  void OnCommitted(const std::shared_ptr<Cancelling>& cancelling, const base::Status& status, const Callback<CancelCounts>& done);
  void Tell(const Cancelling& cancelling);
  void GiveBack(const std::shared_ptr<Cancelling>& cancelling);
  void PutBack(const Cancelling& cancelling);

  const Parts parts_;
  uint32_t recording_ = 0;  // cancels that took something from the queue and are being committed
};

}  // namespace jobd::worker
