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
  kLines,      // a shell command per line, joined with the next where it ends in '\'; blank lines and lines that begin with '#' are
               // skipped
  kScript,     // the whole text is one job: a script that begins with #! and the program that reads it
};

inline constexpr size_t kMaxBatchFile = size_t{256} << 20;

// Decides by the name's extension (.jsonl .ndjson .json .yaml .yml), else by the first line: a script when it begins with #!, JSON
// when it begins like an object or a list, YAML when it begins like a list, a mapping, a tag, a directive or with a byte order
// mark, else plain lines. What is meant as data is never taken for shell commands, also where YAML has no use for it.
BatchFormat DetectFormat(std::string_view file_name, std::string_view text);

// The format that "yaml", "json" (a document, or a job per line) or "lines" asks for. kInvalidArgument for another word.
base::Result<BatchFormat> FormatNamed(std::string_view word, std::string_view text);

// Errors are kInvalidArgument and read "FILE:LINE: key: what is wrong". Files that jobs refer to (env_file, stdin) are read here,
// relative to `directory`.
base::Result<BatchFile> ParseBatchFile(BatchFormat format, const std::string& file_name, const std::string& text,
                                       const std::string& directory);

// Reads and parses a file; "-" is standard input, and its jobs refer to files from the current directory. `format` is a word for
// FormatNamed; empty: DetectFormat.
base::Result<BatchFile> LoadBatchFile(const std::string& path, const std::string& format = "");

}  // namespace jobd::cli
