#include "cli/batch/job_draft.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/files.h"
#include "base/units.h"
#include "cli/view/states.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// What is sent with a job travels in one message, and the service takes messages of 4 MiB.
constexpr size_t kMaxStdin = size_t{3} << 20;
constexpr size_t kMaxEnvFile = size_t{1} << 20;

Error Bad(const std::string& message) { return {Code::kInvalidArgument, message}; }

Result<uint32_t> ParseCount(const std::string& text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Bad("'" + text + "' is not a number (0 to 4294967295)");
  return value;
}

Result<bool> ParseBool(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return Bad("'" + text + "' is neither true nor false");
}

template <typename T>
Status Assign(std::optional<T>& field, Result<T> value) {
  if (!value.ok()) return std::move(value).error();
  field = std::move(value).value();
  return base::Ok();
}

// The service reads 0 as "the default", so what a person means by it cannot be asked for.
template <typename T>
Status AssignPositive(std::optional<T>& field, Result<T> value) {
  if (value.ok() && *value == 0) return Bad("must be more than 0");
  return Assign(field, std::move(value));
}

template <typename T>
void Default(std::optional<T>& field, const std::optional<T>& other) {
  if (!field) field = other;
}

}  // namespace

Status SetJobField(JobDraft& job, std::string_view key, const std::string& value) {
  if (key == "name") {
    job.name = value;
  } else if (key == "workdir") {
    job.workdir = value;
  } else if (key == "timeout") {
    return AssignPositive(job.timeout, base::ParseDuration(value));
  } else if (key == "kill_after") {
    return Assign(job.kill_after, base::ParseDuration(value));
  } else if (key == "memory") {
    return AssignPositive(job.memory_bytes, base::ParseSize(value));
  } else if (key == "cpus") {
    return AssignPositive(job.cpu_millis, base::ParseCpus(value));
  } else if (key == "pids") {
    return AssignPositive(job.pids, ParseCount(value));
  } else if (key == "output") {
    return AssignPositive(job.output_bytes, base::ParseSize(value));
  } else if (key == "file_size") {
    return AssignPositive(job.file_bytes, base::ParseSize(value));
  } else if (key == "open_files") {
    return AssignPositive(job.open_files, ParseCount(value));
  } else if (key == "tmp_size") {
    return AssignPositive(job.tmp_bytes, base::ParseSize(value));
  } else if (key == "io_read") {
    return AssignPositive(job.io_read, base::ParseSize(value));
  } else if (key == "io_write") {
    return AssignPositive(job.io_write, base::ParseSize(value));
  } else if (key == "profile") {
    job.profile = value;
  } else if (key == "user") {
    job.user = value;
  } else if (key == "retries") {
    return Assign(job.retries, ParseCount(value));
  } else {
    return Error(Code::kInternal, "no such field: " + std::string(key));
  }
  return base::Ok();
}

Status SetBatchField(BatchDraft& batch, std::string_view key, const std::string& value) {
  if (key == "id") {
    batch.correlation_id = value;
  } else if (key == "name") {
    batch.name = value;
  } else if (key == "parallel") {
    return AssignPositive(batch.parallel, ParseCount(value));
  } else if (key == "fail_fast") {
    return Assign(batch.fail_fast, ParseBool(value));
  } else if (key == "hold") {
    return Assign(batch.hold, ParseBool(value));
  } else if (key == "priority") {
    if (auto priority = ParsePriority(value); !priority.ok()) return std::move(priority).error();
    batch.priority = value;
  } else {
    return Error(Code::kInternal, "no such field: " + std::string(key));
  }
  return base::Ok();
}

Status AddEnv(JobDraft& job, std::string_view text) {
  const size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (name.empty()) return Bad("'" + std::string(text) + "' has no name; write NAME=VALUE");
  if (equals != std::string_view::npos) {
    job.env.emplace_back(name, text.substr(equals + 1));
  } else if (const char* own = std::getenv(name.c_str()); own != nullptr) {
    job.env.emplace_back(name, own);
  }
  return base::Ok();
}

Status AddEnvFile(JobDraft& job, const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(AT_FDCWD, path, O_RDONLY));
  auto read = base::ReadAll(file.get(), kMaxEnvFile);
  if (!read.ok()) return std::move(read).error().WithContext(path);
  std::string_view text = *read;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (Status added = AddEnv(job, line); !added.ok()) {
      return std::move(added).error().WithContext(path + ":" + std::to_string(line_number));
    }
  }
  return base::Ok();
}

Status SetStdinFile(JobDraft& job, const std::string& path) {
  base::Fd file;
  int fd = STDIN_FILENO;
  if (path != "-") {
    JOBD_ASSIGN_OR_RETURN(file, base::OpenAt(AT_FDCWD, path, O_RDONLY));
    fd = file.get();
  }
  auto read = base::ReadAll(fd, kMaxStdin);
  if (!read.ok()) return std::move(read).error().WithContext("reading the job's standard input from " + path);
  job.stdin_data = std::move(read).value();
  return base::Ok();
}

Status AddLabel(BatchDraft& batch, std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) return Bad("'" + std::string(text) + "' is not a label; write KEY=VALUE");
  batch.labels.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return base::Ok();
}

void ApplyDefaults(JobDraft& job, const JobDraft& defaults) {
  // The last of equal names counts, so the job's own go behind the defaults.
  job.env.insert(job.env.begin(), defaults.env.begin(), defaults.env.end());
  Default(job.workdir, defaults.workdir);
  Default(job.stdin_data, defaults.stdin_data);
  Default(job.timeout, defaults.timeout);
  Default(job.kill_after, defaults.kill_after);
  Default(job.memory_bytes, defaults.memory_bytes);
  Default(job.cpu_millis, defaults.cpu_millis);
  Default(job.pids, defaults.pids);
  Default(job.output_bytes, defaults.output_bytes);
  Default(job.file_bytes, defaults.file_bytes);
  Default(job.open_files, defaults.open_files);
  Default(job.tmp_bytes, defaults.tmp_bytes);
  Default(job.io_read, defaults.io_read);
  Default(job.io_write, defaults.io_write);
  Default(job.profile, defaults.profile);
  Default(job.user, defaults.user);
  Default(job.retries, defaults.retries);
}

void Override(BatchDraft& batch, const BatchDraft& over) {
  if (over.correlation_id) batch.correlation_id = over.correlation_id;
  if (over.name) batch.name = over.name;
  if (over.parallel) batch.parallel = over.parallel;
  if (over.fail_fast) batch.fail_fast = over.fail_fast;
  if (over.hold) batch.hold = over.hold;
  if (over.priority) batch.priority = over.priority;
  batch.labels.insert(batch.labels.end(), over.labels.begin(), over.labels.end());
}

}  // namespace jobd::cli
