// What a caller may ask for in a submission, for the worker.
#pragma once

#include "server/access.h"
#include "worker/worker.h"

namespace jobd::server {

inline worker::Submitter SubmitterOf(const Caller& caller) {
  return {.owner = caller.name(),
          .profiles = caller.user.profiles,
          .run_as = caller.user.run_as,
          .max_queued = caller.user.max_queued,
          .max_running = caller.user.max_running};
}

}  // namespace jobd::server
