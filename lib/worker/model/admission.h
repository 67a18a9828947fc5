// Decides whether a submission is acceptable: from the specs, the submitter and the load alone.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "worker/model/limits.h"
#include "worker/model/model.h"
#include "worker/model/request.h"

namespace jobd::worker {

// What is queued at this moment.
struct Load {
  uint64_t queued = 0;           // of all owners
  uint64_t queued_of_owner = 0;  // of the submitter
};

// Checks the fields of a batch. kInvalidArgument with one violation per bad field, at most base::kMaxViolations; kPermissionDenied
// when the submitter may not ask for a profile, an account, a folder or so much of something. An empty correlation ID is
// acceptable. Pure.
base::Status CheckBatch(const Submitter& submitter, const BatchOptions& options, const std::vector<JobSpec>& jobs,
                        const WorkerLimits& limits);

// True when a batch that CheckBatch refuses is refused for what is in force now alone, so that it may have been accepted before.
// Pure.
bool MayHaveBeenAccepted(const BatchOptions& options, const std::vector<JobSpec>& jobs);

// Writes down the most that the submitter may have for what the job does not ask for, so that it stays in force whatever becomes of
// the defaults: the default, where that is less.
void PinBounds(const Submitter& submitter, const WorkerLimits& limits, JobSpec& job);

// Of variables given several times the last stays, in the place of the first.
void KeepLastOfDuplicates(JobSpec& job);

// Checks the queue's bounds for job_count more jobs. kResourceExhausted. Pure.
base::Status CheckLoad(const Submitter& submitter, uint64_t job_count, const Load& load, const WorkerLimits& limits);

}  // namespace jobd::worker
