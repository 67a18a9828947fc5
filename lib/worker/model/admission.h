// Decides whether a submission is acceptable: from the specs, the submitter and the load alone.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "worker/model/limits.h"
#include "worker/model/model.h"
#include "worker/model/request.h"

namespace jobd::worker {

// The bounds of a request's fields, which no setting changes.
inline constexpr size_t kMaxArgBytes = 128 * 1024 - 1;  // MAX_ARG_STRLEN of execve(2), without its NUL
inline constexpr size_t kMaxArgs = 100'000;
inline constexpr size_t kMaxExecBytes = 1024 * 1024;  // of arguments and environment together
inline constexpr size_t kMaxEnv = 10'000;
inline constexpr size_t kMaxStdinBytes = 3 * 1024 * 1024;
inline constexpr size_t kMaxNameBytes = 256;
inline constexpr size_t kMaxPathBytes = 4095;
inline constexpr size_t kMaxLabels = 64;
inline constexpr size_t kMaxLabelKeyBytes = 128;
inline constexpr size_t kMaxLabelValueBytes = 1024;
inline constexpr uint32_t kMaxRetries = 100;
inline constexpr uint32_t kMaxJobs = 1'000'000;  // of a batch, whatever the setting says
inline constexpr base::Nanos kMaxTime = 30ll * 24 * 3600 * base::kNanosPerSecond;
inline constexpr uint64_t kMinMemoryBytes = 1024 * 1024;
inline constexpr uint64_t kMaxMemoryBytes = 1ull << 50;
inline constexpr uint32_t kMaxCpuMillis = 4'096'000;
inline constexpr uint32_t kMaxPids = 4'194'304;
inline constexpr uint64_t kMinFiles = 8;  // a program needs some to start
inline constexpr uint64_t kMinRate = 4096;

// What is queued at this moment.
struct Load {
  uint64_t queued = 0;           // of all owners
  uint64_t queued_of_owner = 0;  // of the submitter
};

// Checks the fields of a batch. kInvalidArgument with one violation per bad field, at most 20 of them; kPermissionDenied when the
// submitter may not ask for a profile, an account, a folder or so much of something. An empty correlation ID is acceptable. Pure.
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
