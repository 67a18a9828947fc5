// Why the jobs of a batch wait or ended, each reason once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

// Explains those of `jobs` that wait, and those that ended without success, in the order in which they come. Jobs with the same
// reason (of those that wait: the same kinds of it) stand together: "jobs 2, 3 and 7 more ended: exit 1". At most `most` reasons
// are shown. Escaped; a newline ends each line. Empty when none of them waits or failed.
struct Explained {
  std::string text;
  size_t jobs = 0;  // that are in the text
};
Explained ExplainTogether(const std::vector<v1::JobStatus>& jobs, base::Nanos now, size_t most);

}  // namespace jobd::cli
