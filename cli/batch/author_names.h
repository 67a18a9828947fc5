// What the author of a request calls its fields: jobd names them as the API does, which nobody has typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/batch/job_draft.h"

namespace jobd::cli {

// Where the author wrote what is submitted. Pointers are borrowed and may be null.
struct Authored {
  std::string file;                             // empty: there are options alone
  const std::vector<JobDraft>* jobs = nullptr;  // of the file, each with its line
  const JobDraft* job_options = nullptr;        // what options say for every job
  const BatchDraft* batch_options = nullptr;    // and for the batch
};

// "--memory" for "job.limits.memory_bytes", "nightly.yaml:12: memory" for "jobs[3].limits.memory_bytes", "--label" for
// "options.labels", "ID" for "jobs.correlation_id". Numbers count from 1. A field that is not known stays as it is.
std::string AuthorsName(std::string_view field, const Authored& authored);

}  // namespace jobd::cli
