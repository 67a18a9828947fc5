// Batch files: many jobs in one text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/batch/job_draft.h"

namespace jobd::cli {

struct BatchFile {
  BatchDraft options;  // YAML and JSON documents only
  std::vector<JobDraft> jobs;
};

enum class BatchFormat {
  kJsonLines,  // a job per line: {"argv": ["ls", "-l"]} or {"shell": "ls | wc -l"}
  kJson,       // one document: a list of jobs, or {"jobs": [...]} beside batch options
  kYaml,       // the same in YAML
  kLines,      // a shell command per line; blank lines and lines that begin with '#' are skipped
};

inline constexpr size_t kMaxBatchFile = size_t{256} << 20;

// Decides by the name's extension (.jsonl .ndjson .json .yaml .yml .txt .sh), else by the first line: JSON when it begins like an
// object or a list, YAML when it begins like a list or with a key of a batch file, else plain lines.
BatchFormat DetectFormat(std::string_view file_name, std::string_view text);

// Errors are kInvalidArgument and read "FILE:LINE: key: what is wrong". Files that jobs refer to (env_file, stdin) are read here,
// relative to `directory`.
base::Result<BatchFile> ParseBatchFile(BatchFormat format, const std::string& file_name, const std::string& text,
                                       const std::string& directory);

// Reads and parses a file; "-" is standard input, and its jobs refer to files from the current directory.
base::Result<BatchFile> LoadBatchFile(const std::string& path);

}  // namespace jobd::cli
