// What a shim that hangs has not passed on to its job.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::launch {

// A kForwardSignal waits in the queue of `shim`.
bool HasUntaken(pid_t shim);

// Signals the process group of the job as its shim does: that of its first process, a child of `shim`, which is not reaped as long
// as the shim hangs. Goes by the group's processes as they are now; one whose number was used again is not hit.
// An error: not all could be looked at.
base::Status SignalJobOf(pid_t shim, sandbox::JobGroup& group, int signal);

// The job's first process has ended, which `shim` does not know yet, as it hangs. False also where that cannot be seen.
bool HasJobEnded(pid_t shim);

}  // namespace jobd::launch
