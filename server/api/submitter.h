// What the two ways to submit share: what the caller may ask for, and the line in the log.
#pragma once

#include <spdlog/spdlog.h>

#include "launch/contract/capabilities.h"
#include "logging/fields.h"
#include "server/auth/access.h"
#include "worker/worker.h"

namespace jobd::server {

inline worker::Submitter SubmitterOf(const Caller& caller) {
  return {.owner = caller.name(),
          .profiles = caller.user.profiles,
          .run_as = caller.user.run_as,
          .bounds = launch::BoundsOf(caller.user),
          .max_queued = caller.user.max_queued,
          .max_running = caller.user.max_running};
}

inline void LogAccepted(spdlog::logger& log, const std::string& owner, const worker::Receipt& receipt) {
  const std::string jobs = std::to_string(receipt.job_count);
  log.info("{}", logging::Line("accepted", {{"correlation_id", receipt.correlation_id}, {"owner", owner}, {"jobs", jobs}}));
}

}  // namespace jobd::server
