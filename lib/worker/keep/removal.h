// Deletes batches: their files, then their rows.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "worker/keep/loans.h"
#include "worker/model/model.h"
#include "worker/model/request.h"
#include "worker/store/store.h"

namespace jobd::worker {

// What became of the batches of one slice.
struct Removed {
  Pruned pruned;
  std::vector<BatchView> undeletable;  // their files could not be deleted; their rows are kept
  std::string why;                     // the last of those
  std::vector<BatchView> busy;         // alive, or in somebody's use
  std::vector<BatchView> gone;         // removed by somebody else, or ended anew since they were found
};

// For who asked for the removal. The batch stays, and may be removed when the cause is gone.
base::Error Undeletable(const std::string& why);

// Used on the maintenance thread alone.
class Remover {
 public:
  // Both are borrowed and outlive the remover.
  Remover(int log_dir, Loans& loans) : log_dir_(log_dir), loans_(loans) {}

  // Removes those of the batches that the loop lends, with one commit. An error: the rows could not be deleted; their files are
  // gone, and another attempt finds the rows.
  void RemoveSlice(std::vector<BatchView> batches, Callback<Removed> done);

 private:
  const int log_dir_;
  Loans& loans_;
};

// What a client asks for: one batch, found as it is in `batch`. Errors: kFailedPrecondition: it has not ended; kNotFound;
// kInternal: its files cannot be deleted; and those of the commit.
void RemoveOne(Remover& remover, Store& store, BatchView batch, Callback<bool> done);

}  // namespace jobd::worker
