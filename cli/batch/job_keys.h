// The keys of a job and of a batch in a batch file, and the meaning of their values.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/batch/document.h"
#include "cli/batch/job_draft.h"

namespace jobd::cli {

// Where a mistake is: errors read "jobs.yaml:12: env: …".
struct KeyContext {
  std::string file_name;
  std::string directory;  // where relative paths begin; empty: the current one
};

// All keys of a job: argv, shell, env, env_file, stdin, and the plain fields of job_fields.h.
std::vector<std::string> JobKeys();
// All keys beside a list of jobs: labels, defaults, jobs, and the plain fields.
std::vector<std::string> BatchKeys();

// One job: a text is a shell command, else it is a map. argv is a list. shell is a script, or `true` beside argv, whose first
// element is then the script. env is a map, or a list of NAME=VALUE; env_file is one file or a list. stdin is a file, {text: …} or
// {base64: …}. Where a value may hold bytes that are not text, {base64: …} stands for it.
base::Result<JobDraft> ReadJob(const Node& node, const KeyContext& context);

// What `defaults:` says for all jobs: the keys of a job, but for argv, shell and name.
base::Result<JobDraft> ReadDefaults(const Node& node, const KeyContext& context);

// The batch options beside `jobs` and `defaults`. labels is a map, or a list of KEY=VALUE.
base::Result<BatchDraft> ReadBatchOptions(const Node& node, const KeyContext& context);

}  // namespace jobd::cli
