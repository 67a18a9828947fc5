// Waiting for the end of batches and jobs.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/connect/job_ref.h"

namespace jobd::v1 {
class Batch;
}

namespace jobd::cli {

class Canceller;
class Client;

struct AwaitOptions {
  base::Nanos timeout = 0;                          // 0: none; when it has passed, kDeadlineExceeded
  std::function<void(const v1::Batch&)> on_update;  // each time jobs change their state
  std::function<void(const std::string&)> say;      // of a lost link
};

// Waits until the job, or every job of the batch, has ended, across losses of the link. Returns the largest of their exit codes.
// `ref` must be resolved. kCancelled when the canceller ended it.
base::Result<int> AwaitEnd(Client& client, const JobRef& ref, const AwaitOptions& options, Canceller* canceller);

}  // namespace jobd::cli
