// A job as its author writes it: from the options of `run` and `submit`, or from a batch file. The same keys everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::v1 {
class JobSpec;
class BatchOptions;
}  // namespace jobd::v1

namespace jobd::cli {

struct JobDraft {
  std::vector<std::string> argv;  // bytes; with shell, argv[0] is the script
  bool shell = false;
  std::string name;
  std::vector<std::pair<std::string, std::string>> env;  // in order; of equal names the last counts
  std::optional<std::string> workdir;
  std::optional<std::string> stdin_data;
  std::optional<base::Nanos> timeout;
  std::optional<base::Nanos> kill_after;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint32_t> cpu_millis;
  std::optional<uint32_t> pids;
  std::optional<uint64_t> output_bytes;
  std::optional<uint64_t> file_bytes;
  std::optional<uint32_t> open_files;
  std::optional<uint64_t> tmp_bytes;
  std::optional<uint64_t> io_read;  // bytes per second
  std::optional<uint64_t> io_write;
  std::optional<std::string> profile;
  std::optional<std::string> user;
  std::optional<uint32_t> retries;
  bool operator==(const JobDraft&) const = default;
};

struct BatchDraft {
  std::optional<std::string> correlation_id;
  std::optional<std::string> name;
  std::vector<std::pair<std::string, std::string>> labels;  // of equal names the last counts
  std::optional<uint32_t> parallel;
  std::optional<bool> fail_fast;
  std::optional<bool> hold;
  std::optional<std::string> priority;
  bool operator==(const BatchDraft&) const = default;
};

// The value of an option or key as text, put into the draft. `key` is one of name, workdir, timeout, kill_after, memory, cpus,
// pids, output, file_size, open_files, tmp_size, io_read, io_write, profile, user, retries. Errors are kInvalidArgument and don't
// name the key.
base::Status SetJobField(JobDraft& job, std::string_view key, const std::string& value);
// `key` is one of id, name, parallel, fail_fast, hold, priority.
base::Status SetBatchField(BatchDraft& batch, std::string_view key, const std::string& value);

// "NAME=VALUE", or "NAME" for the value jobctl's own environment has (none: the variable is left out).
base::Status AddEnv(JobDraft& job, std::string_view text);
// A file of such lines; blank lines and those that begin with '#' are skipped. Errors name file and line.
base::Status AddEnvFile(JobDraft& job, const std::string& path);
// The job's standard input from a file; "-" is jobctl's own.
base::Status SetStdinFile(JobDraft& job, const std::string& path);
// "KEY=VALUE".
base::Status AddLabel(BatchDraft& batch, std::string_view text);

// What `job` doesn't say is taken from `defaults`; variables of both count, those of the job first of all.
void ApplyDefaults(JobDraft& job, const JobDraft& defaults);
// What `over` says counts before what `batch` says.
void Override(BatchDraft& batch, const BatchDraft& over);

void ToProto(const JobDraft& job, v1::JobSpec* spec);
// The priority must be one that SetBatchField took.
void ToProto(const BatchDraft& batch, v1::BatchOptions* options);

}  // namespace jobd::cli
