// The keys of a job and of a batch in a batch file, and what their values mean.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/batch/document.h"
#include "cli/batch/job_draft.h"

namespace jobd::cli {

// Where a mistake is: errors read "jobs.yaml:12: env: …".
struct KeyContext {
  std::string file_name;
  std::string directory;  // where relative paths begin; empty: the current one
};

// One job. Keys: argv (a list) or shell (a script; or `true` beside argv, whose first element is then the script), name, env (a
// map, or a list of NAME=VALUE), env_file (one or a list), workdir, stdin (a file, or {text: …} or {base64: …}), timeout,
// kill_after, memory, cpus, pids, profile, user, retries. Where bytes are wanted that no text can hold, {base64: …} stands for the
// text.
base::Result<JobDraft> ReadJob(const Node& node, const KeyContext& context);

// The batch options beside `jobs`: id, name, labels (a map, or a list of KEY=VALUE), parallel, fail_fast, hold, priority.
base::Result<BatchDraft> ReadBatchOptions(const Node& node, const KeyContext& context);

}  // namespace jobd::cli
