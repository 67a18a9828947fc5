// Whose fault it is that a job could not be started: the machine's, which lacks something that comes back, or the job's own.
#pragma once

#include "launch/contract/step.h"

namespace jobd::launch {

// True when the machine lacked a process, memory, descriptors, room or a namespace when this step failed: the program never ran,
// and the same start may succeed later. False when it would fail again, because of what was asked for or of the job's own limits.
// Which limits those can be depends on the step: until the process has entered its cgroup none hold for it. `memory_limit_hit`: the
// job's group has been at its memory limit (kFlagMemoryLimitHit). Pure; total.
bool StartMayPass(Step step, int errno_value, bool memory_limit_hit = false);

}  // namespace jobd::launch
