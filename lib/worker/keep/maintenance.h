// Everything that is done with ended batches: retention, compression, prunes, removals. One thread, `clean`, and state of its own;
// with the loop it exchanges messages only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "worker/keep/compression.h"
#include "worker/keep/loans.h"
#include "worker/keep/maintenance_thread.h"
#include "worker/keep/removal.h"
#include "worker/keep/retention_pass.h"
#include "worker/model/limits.h"
#include "worker/model/model.h"
#include "worker/model/request.h"
#include "worker/model/service_status.h"
#include "worker/run/upkeep.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Thread-safe, but for Begin, Shutdown and the destructor. Callbacks come on the thread `clean`; those that have not come when
// Shutdown returns never do.
//
// What makes a batch go or be compressed is time that this process has seen pass: a wall clock that is set ten years on deletes
// nothing. Retention looks at the start, soon after a batch has ended or the rules have changed, and when the next batch comes of
// age. A batch that cannot be deleted is shown as such and passed over; nothing is deleted in its place.
class Maintenance final : public Upkeep {
 public:
  // All are borrowed and outlive this. The lender may answer late: even after Shutdown, and then nothing happens.
  struct Parts {
    Store& store;
    BatchLender& lender;
    const base::Clock& clock;
    int log_dir = -1;
  };
  Maintenance(Parts parts, Retention retention, uint64_t min_free_bytes);
  ~Maintenance() override;

  // Starts the thread, and the first look. Once, when the loop knows what lives.
  void Begin();
  // Ends the thread after the slice it is doing; what is long is given up. What was asked for and not done is dropped.
  void Shutdown();

  // Removes a batch that has ended, found as it is in `batch`; borrows it from the loop. Errors: kFailedPrecondition: it has not
  // ended, or was retried meanwhile; kNotFound; kInternal: its files cannot be deleted; and those of the store.
  void Remove(BatchView batch, Callback<bool> done);
  // Removes what ended longer ago than `older_than`, of one owner or of all (empty); a dry run counts it. Batches that live again
  // are passed over. An error: nothing could be removed.
  void Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done);
  void SetRules(Retention retention, uint64_t min_free_bytes);
  // By the latest whole look.
  KeptStatus kept() const { return *kept_.Lock(); }

  bool IsCompressed(const BatchName& batch, uint32_t index) override;
  void Expand(launch::JobKey key, BatchName batch, std::function<void(base::Status)> done) override;
  // Cheap when a look is to come anyway.
  void OnBatchEnded() override;

 private:
  base::Nanos Now() const;
  // On the thread `clean`.
  void LookSoon();
  void Look();
  void OnLooked(const RetentionPass::Result& result);

  const Parts parts_;
  const base::Nanos wall_at_zero_;  // of the monotonic clock, as the wall clock was when we began
  std::atomic<bool> look_wanted_{false};
  base::Guarded<KeptStatus> kept_;
  // Shared with answers of the lender that come after the end.
  const std::shared_ptr<MaintenanceThread> thread_ = std::make_shared<MaintenanceThread>();
  // Of the thread `clean`.
  KeepRules rules_;
  bool looking_ = false;
  Loans loans_;
  Remover remover_;
  Compression compression_;
};

}  // namespace jobd::worker
