#include "cli/batch/job_draft.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/bounds.h"
#include "base/files.h"
#include "base/text.h"
#include "base/uuid7.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Status;

constexpr size_t kMaxEnvFile = size_t{1} << 20;

constexpr std::string_view kBlanks = " \t";

Error Bad(const std::string& message) { return {Code::kInvalidArgument, message}; }

std::string Shown(std::string_view name) {
  constexpr size_t kMaxShown = 80;
  return base::EscapeForTerminal(name.substr(0, kMaxShown)) + (name.size() > kMaxShown ? "…" : "");
}

std::string_view WithoutBlanksInFront(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlanks)));
  return text;
}

}  // namespace

Status CheckEnv(std::string_view name, std::string_view value) {
  const auto bad = [name](const std::string& why) { return Bad("'" + Shown(name) + "' is not the name of a variable: " + why); };
  if (name.empty()) return Bad("a variable has no name");
  if (name.find('\0') != std::string_view::npos) return bad("it holds a NUL byte; a file must be UTF-8, not UTF-16");
  if (name.find('=') != std::string_view::npos) return bad("it holds a '='");
  if (name.find_first_of(kBlanks) != std::string_view::npos) return bad("it has a blank; write NAME=VALUE");
  if (value.find('\0') != std::string_view::npos) return Bad("the value of '" + Shown(name) + "' holds a NUL byte");
  return base::Ok();
}

Status AddEnv(JobDraft& job, std::string_view text) {
  const size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (name.empty()) return Bad("'" + Shown(text) + "' has no name; write NAME=VALUE");
  JOBD_RETURN_IF_ERROR(CheckEnv(name, equals == std::string_view::npos ? "" : text.substr(equals + 1)));
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
  if (constexpr std::string_view kMark = "\xef\xbb\xbf"; text.starts_with(kMark)) text.remove_prefix(kMark.size());
  for (int line_number = 1; !text.empty(); ++line_number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = WithoutBlanksInFront(line);
    if (line.empty() || line.starts_with('#')) continue;
    // As in a file that a shell reads, too.
    constexpr std::string_view kExport = "export";
    if (const std::string_view rest = WithoutBlanksInFront(line.substr(std::min(line.size(), kExport.size())));
        line.starts_with(kExport) && rest.size() + kExport.size() < line.size() && !rest.empty()) {
      line = rest;
    }
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
  auto read = base::ReadAll(fd, base::kMaxStdinBytes);
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
  if (!job.stdin_data) job.stdin_data = defaults.stdin_data;
  job.fields.AddMissing(defaults.fields);
}

void Override(BatchDraft& batch, const BatchDraft& over) {
  batch.fields.Override(over.fields);
  batch.labels.insert(batch.labels.end(), over.labels.begin(), over.labels.end());
}

void EnsureId(BatchDraft& batch, base::Nanos now) {
  const BatchField& id = *FindField(BatchFields(), "id");
  if (batch.fields.Find(id) == nullptr) (void)batch.fields.Set(id, base::MakeUuid7(now));  // every text is taken as an ID here
}

void ToProto(const JobDraft& job, v1::JobSpec* spec) {
  for (const std::string& argument : job.argv) spec->add_argv(argument);
  spec->set_shell(job.shell);
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : job.env) env[name] = value;
  for (const auto& [name, value] : env) {
    v1::EnvVar* variable = spec->add_env();
    variable->set_name(name);
    variable->set_value(value);
  }
  for (const auto& [name, value] : job.ambient_env) {
    if (env.contains(name)) continue;
    v1::EnvVar* variable = spec->add_env();
    variable->set_name(name);
    variable->set_value(value);
    variable->set_ambient(true);
  }
  if (job.stdin_data) spec->set_stdin(*job.stdin_data);
  job.fields.ToProto(*spec);
}

void ToProto(const BatchDraft& batch, v1::BatchOptions* options) {
  for (const auto& [key, value] : batch.labels) (*options->mutable_labels())[key] = value;
  batch.fields.ToProto(*options);
}

}  // namespace jobd::cli
