// Waiting for the end of batches and jobs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/connect/job_ref.h"
#include "cli/view/json_view.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

class Canceller;
class Client;

struct AwaitOptions {
  base::Nanos timeout = 0;                          // 0: none; when it has passed, kDeadlineExceeded
  std::function<void(const v1::Batch&)> on_update;  // each time jobs change their state; may be empty
  std::function<void(const std::string&)> say;      // of a lost link; may be empty
};

// What was waited for, ended.
struct Ended {
  JobRef ref;
  int exit_code = 0;     // the largest of its jobs', as LargestExitCode has it
  v1::Batch batch;       // of a whole batch
  v1::JobResult result;  // of a job
};
// A batch as BatchToJson has it, or a job as EndToJson has it. A batch has an "exit_code", too.
Json ToJson(const Ended& ended);

// Waits until the job, or every job of the batch, has ended, across losses of the link. `ref` must be resolved. kCancelled when the
// canceller ended it.
base::Result<Ended> AwaitEnd(Client& client, const JobRef& ref, const AwaitOptions& options, Canceller* canceller);

enum class AwaitWhich { kAll, kAny };
// How many may be waited for with kAny: jobd takes 128 streams on a connection, and an end on a stream beyond those would not be
// seen.
inline constexpr size_t kMaxAwaitAny = 100;

// Waits for all of `refs`, or for the first that ends, and returns those, in the order of `refs`. An error of one is the answer at
// once; the others are not waited for. The functions of `options` are called on several threads. The canceller ends it as well, and
// is used up.
base::Result<std::vector<Ended>> AwaitEnds(Client& client, const std::vector<JobRef>& refs, AwaitWhich which,
                                           const AwaitOptions& options, Canceller* canceller);

}  // namespace jobd::cli
