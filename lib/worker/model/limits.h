// The bounds a worker works under, and how long it keeps what has ended.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "launch/contract/capabilities.h"

namespace jobd::worker {

// How much of what has ended is kept; 0: no bound. What goes is the batch that ended first, its files and its rows.
struct RetentionRule {
  base::Nanos max_age = 0;  // since the end, by the wall clock
  uint64_t max_bytes = 0;   // of files, as they take room on the disk
  uint64_t max_batches = 0;
  bool operator==(const RetentionRule&) const = default;
};
struct Retention {
  RetentionRule all;               // the bounds are on everybody's batches together
  base::Nanos compress_after = 0;  // since the end of a batch, its output is compressed; 0: never
  // Of some owners: the age is theirs instead of the one of all; the bounds are on their own batches, beside those on all.
  std::map<std::string, RetentionRule> owners;
};

// The bounds of one owner, by the users file.
struct OwnerQuota {
  std::optional<uint64_t> max_queued;  // absent: max_queued_per_user
  uint32_t max_running = 0;            // 0: no bound
};

// What may change while running. See the settings of the same names in config/config.h.
struct WorkerLimits {
  uint32_t max_running = 1;
  uint64_t max_queued = 2'000'000;
  uint64_t max_queued_per_user = 1'000'000;
  uint32_t max_batch_jobs = 100'000;
  uint64_t max_output_bytes = 0;
  uint64_t min_free_bytes = 0;
  std::string default_profile = "standard";
  base::Nanos default_timeout = 0;
  base::Nanos default_kill_after = 0;
  launch::JobLimits default_limits;
  std::string default_workdir;
  std::string default_path;
  launch::Capabilities capabilities;  // of the launcher, which the worker asks for them: what is given here counts for nothing
  Retention retention;
  // Of every owner whom the users file names. They hold wherever jobs come to the queue: at a submission, a retry, a restart, and
  // for what is queued when they change.
  std::map<std::string, OwnerQuota> quotas;
};

}  // namespace jobd::worker
