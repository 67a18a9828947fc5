// A prune goes through the history in slices, so that neither the loop nor memory feels how long it is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "worker/keep/maintenance_thread.h"
#include "worker/keep/removal.h"
#include "worker/model/request.h"
#include "worker/store/store.h"

namespace jobd::worker {

// One request of a client. On the maintenance thread, and alive for as long as something of it is under way.
class Prune : public std::enable_shared_from_this<Prune> {
 public:
  struct Parts {
    Store& store;
    int log_dir;
    MaintenanceThread& thread;
    Remover& remover;
    std::function<void()> on_removed;  // what is kept has changed
  };
  struct Request {
    std::string owner;       // empty: of all owners
    base::Nanos before = 0;  // the batches that ended before this time, by the wall clock
    bool dry_run = false;    // counts only
    Callback<Pruned> done;   // an error: nothing could be removed
  };
  Prune(Parts parts, Request request) : parts_(std::move(parts)), request_(std::move(request)) {}

  // Does one slice, and sees to the next.
  void Continue();

 private:
  base::Result<std::vector<BatchView>> FindNext();
  void OnRemoved(base::Result<Removed> removed);
  // After what others want deleted meanwhile.
  void ContinueLater();

  const Parts parts_;
  const Request request_;
  EndedPlace after_;
  Pruned pruned_;
  std::optional<base::Error> failure_;
};

}  // namespace jobd::worker
