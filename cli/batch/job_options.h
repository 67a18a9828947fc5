// The options by which `run` and `submit` describe jobs and their batch.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/batch/job_draft.h"

namespace CLI {
class App;
}

namespace jobd::cli {

// The texts as given. Must live as long as the App it was added to.
struct JobOptions {
  std::vector<std::pair<const JobField*, std::string>> job_fields;
  std::vector<std::pair<const BatchField*, std::string>> batch_fields;
  std::vector<std::string> labels;
  std::vector<std::string> env;
  std::vector<std::string> env_files;
  std::optional<std::string> stdin_file;
  bool shell = false;
};

void AddJobOptions(CLI::App& app, JobOptions& options);
void AddBatchOptions(CLI::App& app, JobOptions& options);

// These read the texts, and the files that are named. Errors name the option.
base::Result<JobDraft> BuildJob(const JobOptions& options);
base::Result<BatchDraft> BuildBatch(const JobOptions& options);

}  // namespace jobd::cli
