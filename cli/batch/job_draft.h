// A job as its author writes it: from the options of `run` and `submit`, or from a batch file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/batch/job_fields.h"

namespace jobd::cli {

struct JobDraft {
  std::vector<std::string> argv;  // bytes; with shell, argv[0] is the script
  bool shell = false;
  std::vector<std::pair<std::string, std::string>> env;  // in order; of equal names the last counts
  // Of the author's surroundings, such as TERM: given to the job where env has no such name, but no part of what is asked for.
  std::vector<std::pair<std::string, std::string>> ambient_env;
  std::optional<std::string> stdin_data;
  FieldValues<v1::JobSpec> fields;
  int line = 0;  // of a batch file, where it begins; 0: it stands in none
  bool operator==(const JobDraft&) const = default;
};

struct BatchDraft {
  std::vector<std::pair<std::string, std::string>> labels;  // of equal names the last counts
  FieldValues<v1::BatchOptions> fields;
  bool operator==(const BatchDraft&) const = default;
};

// What a variable may be called, wherever it is written: no blank (a line that was meant as something else has one), no '=' and no
// NUL byte; and its value has no NUL byte.
base::Status CheckEnv(std::string_view name, std::string_view value);
// "NAME=VALUE", or "NAME" for the value that jobctl's own environment has; when it has none, the variable is left out.
base::Status AddEnv(JobDraft& job, std::string_view text);
// Adds each line of a file as AddEnv does. Blanks in front, "export " and a byte order mark are left away; blank lines and lines
// that begin with '#' are skipped. A value is taken as it is, quotes and all. Errors name file and line.
base::Status AddEnvFile(JobDraft& job, const std::string& path);
// The job's standard input from a file; "-" is jobctl's own.
base::Status SetStdinFile(JobDraft& job, const std::string& path);
// "KEY=VALUE".
base::Status AddLabel(BatchDraft& batch, std::string_view text);

// Takes from `defaults` whatever `job` does not say. Variables of both are kept; of equal names the job's own counts.
void ApplyDefaults(JobDraft& job, const JobDraft& defaults);
// Takes whatever `over` says in place of what `batch` says. Labels of both are kept; of equal keys that of `over` counts.
void Override(BatchDraft& batch, const BatchDraft& over);
// Gives a batch without an ID a new one, so that its submission can be repeated when the answer is lost. `now` is wall-clock time.
void EnsureId(BatchDraft& batch, base::Nanos now);

void ToProto(const JobDraft& job, v1::JobSpec* spec);
void ToProto(const BatchDraft& batch, v1::BatchOptions* options);

}  // namespace jobd::cli
