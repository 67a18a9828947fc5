// Finding a shim that another launcher forked.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/frames.h"
#include "launch/shim/shim.h"

namespace jobd::launch {

struct FoundShim {
  base::Fd pidfd;  // none: no shim lives for the slot
  pid_t pid = 0;
  std::optional<uid_t> job_uid;  // of its job, when that can be seen
  base::Nanos deadline = 0;      // as in the slot
  base::Nanos kill_after = 0;
};

// Takes hold of the process that has the slot of frame.key locked. The lock is what proves that a pid is that shim and not one that
// got its number since: it is asked for before and after. kResourceExhausted: it cannot be looked for now, and may live.
base::Result<FoundShim> FindShim(const ShimContext& context, const Watch& frame);

// The same without the slot, for when the log folder was unmounted, emptied or replaced, or its disk fails: a shim is above the
// processes of its job's group, which `processes` are (GroupDriver::ProcessesOf). None: no process is left, or their shim is dead.
base::Result<FoundShim> FindShimAbove(const std::vector<pid_t>& processes);

}  // namespace jobd::launch
