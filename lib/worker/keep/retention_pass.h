// One look at everything that has ended: measures what is new, removes what the rules say, compresses what is due, and counts what
// is left. Slice by slice, so that what clients ask for gets its turn.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/keep/compression.h"
#include "worker/keep/loans.h"
#include "worker/keep/maintenance_thread.h"
#include "worker/keep/removal.h"
#include "worker/keep/retention.h"
#include "worker/model/limits.h"
#include "worker/model/service_status.h"
#include "worker/store/store.h"

namespace jobd::worker {

struct KeepRules {
  Retention retention;
  uint64_t min_free_bytes = 0;
};

// On the maintenance thread. Used once, and alive for as long as something of it is under way.
class RetentionPass : public std::enable_shared_from_this<RetentionPass> {
 public:
  // All are borrowed and outlive the pass.
  struct Parts {
    Store& store;
    int log_dir;
    MaintenanceThread& thread;
    Loans& loans;
    Remover& remover;
    Compression& compression;
    const KeepRules& rules;            // as they are now
    std::function<base::Nanos()> now;  // wall clock
  };
  struct Result {
    std::optional<KeptStatus> kept;   // without the rules; absent when the pass failed
    std::optional<base::Nanos> next;  // from now: when to look again if nothing happens before
  };
  RetentionPass(Parts parts, std::function<void(Result)> finished)
      : parts_(std::move(parts)), rules_(parts_.rules), finished_(std::move(finished)) {}

  // Does one step, and sees to the next.
  void Continue();

 private:
  // Each does its step and returns true, or has nothing to do.
  base::Result<bool> Measure(RetentionReader& reader);
  base::Result<bool> RemoveExpired(RetentionReader& reader, base::Nanos now);
  base::Result<bool> Compress(RetentionReader& reader, base::Nanos now);
  base::Status Finish(RetentionReader& reader, base::Nanos now);
  base::Result<bool> Step(RetentionReader& reader, base::Nanos now);

  void OnRemoved(base::Result<Removed> removed);
  void ContinueLater();
  // The disk or the database failed.
  void GiveUp();

  const Parts parts_;
  KeepRules rules_;  // of this pass
  const std::function<void(Result)> finished_;
  Excluded excluded_;
  uint64_t undeletable_ = 0;
  std::optional<base::Nanos> next_expiry_;    // wall clock
  std::optional<base::Nanos> next_compress_;  // wall clock
  bool compress_later_ = false;               // there is something to compress that cannot be now
};

}  // namespace jobd::worker
