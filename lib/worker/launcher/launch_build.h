// From a spec to what the launcher is asked: defaults filled in, the shell spelled out, the environment complete.
#pragma once

#include "launch/contract/launch_request.h"
#include "worker/model/limits.h"
#include "worker/model/model.h"
#include "worker/model/outcome.h"

namespace jobd::worker {

// The bounds a job runs under: its own, else the service's; the output never beyond the service's maximum.
Bounds BoundsOf(const JobSpec& spec, const WorkerLimits& limits);
// The same as a spec: the service's defaults, and those of its profile, where nothing was asked for. For who wants to know; the
// account is left as it was asked for.
JobSpec WithDefaults(const JobSpec& spec, const WorkerLimits& limits);
base::Nanos KillAfterOf(const JobSpec& spec, const WorkerLimits& limits);

launch::LaunchRequest BuildRequest(launch::JobKey key, const BatchName& batch, uint32_t job_count, JobSpec spec,
                                   const WorkerLimits& limits);

}  // namespace jobd::worker
