// What is asked of a worker, and what it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/capabilities.h"
#include "worker/model/model.h"

namespace jobd::worker {

// Who submits, and what they may ask for: from the users file, decided by the server.
struct Submitter {
  std::string owner;
  std::vector<std::string> profiles;  // empty: all that need no grant
  std::vector<std::string> run_as;    // the first is the default; empty: only the launcher's default
  launch::OwnerBounds bounds;
  std::optional<uint64_t> max_queued;
  std::optional<uint32_t> max_running;
};

struct Receipt {
  std::string correlation_id;
  uint32_t job_count = 0;
  base::Nanos created_at = 0;
  bool replayed = false;
  uint64_t number = 0;  // among its owner's batches
};

struct JobSelector {
  BatchName batch;
  std::optional<uint32_t> index;  // absent: all jobs
};

// What an address means.
struct Target {
  BatchName batch;
  std::optional<uint32_t> index;  // absent: the batch
};

struct CancelCounts {
  uint32_t cancelled = 0;
  uint32_t stopping = 0;
};

struct Pruned {
  uint32_t batches = 0;
  uint64_t bytes = 0;
};

template <typename T>
using Callback = std::function<void(base::Result<T>)>;

}  // namespace jobd::worker
