// Waiting for the end of batches and jobs.
#pragma once

#include <functional>
#include <string>
#include <vector>

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
  std::function<void(const v1::Batch&)> on_update;  // each time jobs change their state; may be empty
  std::function<void(const std::string&)> say;      // of a lost link; may be empty
};

// Waits until the job, or every job of the batch, has ended, across losses of the link. Returns the largest of their exit codes,
// as LargestExitCode has it. `ref` must be resolved. kCancelled when the canceller ended it.
base::Result<int> AwaitEnd(Client& client, const JobRef& ref, const AwaitOptions& options, Canceller* canceller);

enum class AwaitWhich { kAll, kAny };
// How many may be waited for with kAny: jobd takes 128 streams on a connection, and an end on a stream beyond those would not be
// seen.
inline constexpr size_t kMaxAwaitAny = 100;

// Waits for all of `refs`, or for the first that ends. Returns the largest of the exit codes with kAll, with kAny that of the
// first. An error of one is the answer at once; the others are not waited for. The functions of `options` are called on several
// threads.
base::Result<int> AwaitEnds(Client& client, const std::vector<JobRef>& refs, AwaitWhich which, const AwaitOptions& options);

}  // namespace jobd::cli
