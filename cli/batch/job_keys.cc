#include "cli/batch/job_keys.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "cli/view/file_line.h"
#include "cli/view/suggest.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::array<std::string_view, 5> kOtherJobKeys{"argv", "shell", "env", "env_file", "stdin"};
constexpr std::array<std::string_view, 3> kOtherBatchKeys{"labels", "defaults", "jobs"};

// All keys of one kind, for people and for suggestions.
template <typename Message, size_t N>
std::vector<std::string> KeysOf(const std::array<std::string_view, N>& others, std::span<const Field<Message>> fields) {
  std::vector<std::string> keys(others.begin(), others.end());
  for (const Field<Message>& field : fields) keys.emplace_back(field.key);
  return keys;
}

Error Bad(const KeyContext& context, int line, const std::string& what) { return AtLine(context.file_name, line, what); }

constexpr std::array<std::string_view, 2> kCommandKeys{"argv", "shell"};

// What other tools' files call a command.
constexpr std::array<std::string_view, 8> kWordsForCommand{"command", "commands", "cmd",  "run",
                                                           "script",  "exec",     "args", "entrypoint"};

// Where a key that is none here belongs.
enum class Place { kJob, kBatch };

Error UnknownKey(const KeyContext& context, const Node& value, const std::string& key, Place place) {
  const bool in_job = place == Place::kJob;
  std::string hint = DidYouMean(key, in_job ? JobKeys() : BatchKeys());
  if (std::ranges::find(kCommandKeys, key) != kCommandKeys.end()) {
    hint = ": it is a key of a job, and so belongs in an item of `jobs:`";
  } else if (!in_job && std::ranges::count(JobKeys(), key) > 0) {
    hint = ": it is a key of a job; for all jobs it belongs under `defaults:`";
  } else if (in_job && std::ranges::count(BatchKeys(), key) > 0) {
    hint = ": it is a key of the batch, and so belongs beside `jobs:`";
  } else if (std::ranges::find(kWordsForCommand, key) != kWordsForCommand.end()) {
    hint = ": a command is `shell: LINE` or `argv: [PROGRAM, ARGUMENT…]`";
  } else if (key.find_first_of(" \t") != std::string::npos) {
    hint = ": a text that holds \": \" needs quotes around the whole of it";
  }
  return Bad(context, value.line, "unknown key '" + key + "'" + hint);
}

Status At(const KeyContext& context, const Node& node, const std::string& key, Status status) {
  if (status.ok()) return status;
  return AsField(std::move(status).error(), context.file_name + ":" + std::to_string(node.line) + ": " + key);
}

template <typename Message>
Status SetField(const Field<Message>& field, const Node& value, const KeyContext& context, FieldValues<Message>& values) {
  if (value.kind != Node::Kind::kScalar) return Bad(context, value.line, std::string(field.key) + ": must be a single value");
  return At(context, value, field.key, values.Set(field, value.scalar));
}

// Text, or {base64: …}.
Result<std::string> Bytes(const Node& node, const std::string& key, const KeyContext& context) {
  if (node.kind == Node::Kind::kScalar) return node.scalar;
  const Node* encoded = node.kind == Node::Kind::kMap && node.entries.size() == 1 ? node.Find("base64") : nullptr;
  if (encoded == nullptr || encoded->kind != Node::Kind::kScalar)
    return Bad(context, node.line, key + ": must be a text, or {base64: …}");
  std::string decoded;
  // Abseil also takes blanks and text without padding; a batch file has the one encoding of RFC 4648, section 4.
  if (!absl::Base64Unescape(encoded->scalar, &decoded) || absl::Base64Escape(decoded) != encoded->scalar)
    return Bad(context, node.line, key + ": is not base64");
  return decoded;
}

Status ReadArgv(const Node& node, const KeyContext& context, JobDraft& job) {
  if (node.kind != Node::Kind::kList)
    return Bad(context, node.line, "argv: must be a list: the program and its arguments (for a command line, use shell)");
  if (node.items.empty()) return Bad(context, node.line, "argv: must not be empty");
  for (size_t i = 0; i < node.items.size(); ++i) {
    JOBD_ASSIGN_OR_RETURN(std::string argument, Bytes(node.items[i], "argv[" + std::to_string(i) + "]", context));
    job.argv.push_back(std::move(argument));
  }
  return base::Ok();
}

Status ReadEnv(const Node& node, const KeyContext& context, JobDraft& job) {
  if (node.kind == Node::Kind::kMap) {
    for (const auto& [name, value] : node.entries) {
      JOBD_ASSIGN_OR_RETURN(std::string bytes, Bytes(value, "env." + name, context));
      JOBD_RETURN_IF_ERROR(At(context, value, "env", CheckEnv(name, bytes)));
      job.env.emplace_back(name, std::move(bytes));
    }
    return base::Ok();
  }
  if (node.kind != Node::Kind::kList) return Bad(context, node.line, "env: must be a map, or a list of NAME=VALUE");
  for (const Node& item : node.items) {
    if (item.kind != Node::Kind::kScalar) return Bad(context, item.line, "env: must be a list of NAME=VALUE");
    JOBD_RETURN_IF_ERROR(At(context, item, "env", AddEnv(job, item.scalar)));
  }
  return base::Ok();
}

std::string Below(const KeyContext& context, const std::string& path) {
  return path.starts_with('/') || context.directory.empty() ? path : context.directory + "/" + path;
}

Status ReadEnvFiles(const Node& node, const KeyContext& context, JobDraft& job) {
  const std::vector<Node> one{node};
  for (const Node& item : node.kind == Node::Kind::kList ? node.items : one) {
    if (item.kind != Node::Kind::kScalar) return Bad(context, item.line, "env_file: must be a file's name, or a list of them");
    JOBD_RETURN_IF_ERROR(At(context, item, "env_file", AddEnvFile(job, Below(context, item.scalar))));
  }
  return base::Ok();
}

Status ReadStdin(const Node& node, const KeyContext& context, JobDraft& job) {
  if (node.kind == Node::Kind::kScalar) {
    if (node.scalar == "-") return Bad(context, node.line, "stdin: '-' works only on the command line");
    return At(context, node, "stdin", SetStdinFile(job, Below(context, node.scalar)));
  }
  const Node* text = node.kind == Node::Kind::kMap && node.entries.size() == 1 ? node.Find("text") : nullptr;
  if (text != nullptr && text->kind == Node::Kind::kScalar) {
    job.stdin_data = text->scalar;
    return base::Ok();
  }
  auto bytes = Bytes(node, "stdin", context);
  if (!bytes.ok()) return Bad(context, node.line, "stdin: must be a file's name, {text: …} or {base64: …}");
  job.stdin_data = std::move(bytes).value();
  return base::Ok();
}

// `shell: SCRIPT`, or `shell: true` beside argv, as the API has it.
Status ReadShell(const Node& node, const KeyContext& context, JobDraft& job) {
  const bool has_argv = !job.argv.empty();
  if (node.kind != Node::Kind::kScalar) return Bad(context, node.line, "shell: must be a script");
  const bool truth = !node.is_text && (node.scalar == "true" || node.scalar == "false");
  if (has_argv && !truth) return Bad(context, node.line, "shell: there is argv already; a job has one of the two");
  if (has_argv) {
    job.shell = node.scalar == "true";
    return base::Ok();
  }
  if (node.scalar.empty()) return Bad(context, node.line, "shell: must not be empty");
  job.shell = true;
  job.argv = {node.scalar};
  return base::Ok();
}

Status ReadJobKey(const std::string& key, const Node& value, const KeyContext& context, JobDraft& job) {
  if (value.kind == Node::Kind::kNull) return Bad(context, value.line, key + ": has no value");
  if (const JobField* field = FindField(JobFields(), key)) return SetField(*field, value, context, job.fields);
  if (key == "env") return ReadEnv(value, context, job);
  if (key == "env_file" || key == "argv" || key == "shell") return base::Ok();  // read in their own order by ReadJob
  if (key == "stdin") return ReadStdin(value, context, job);
  return UnknownKey(context, value, key, Place::kJob);
}

Result<JobDraft> ReadKeys(const Node& node, const KeyContext& context) {
  JobDraft job;
  job.line = node.line;
  // Variables of env count before those of env_file, and shell means another thing beside argv, whatever the order in the file.
  if (const Node* files = node.Find("env_file")) JOBD_RETURN_IF_ERROR(ReadEnvFiles(*files, context, job));
  if (const Node* argv = node.Find("argv")) JOBD_RETURN_IF_ERROR(ReadArgv(*argv, context, job));
  if (const Node* shell = node.Find("shell")) JOBD_RETURN_IF_ERROR(ReadShell(*shell, context, job));
  for (const auto& [key, value] : node.entries) JOBD_RETURN_IF_ERROR(ReadJobKey(key, value, context, job));
  return job;
}

// `- make all`, but not `- 3`, which is hardly meant as a command.
bool IsCommand(const Node& node) {
  if (node.scalar.empty()) return false;
  if (node.is_text) return true;
  return node.scalar != "true" && node.scalar != "false" && node.scalar.find_first_not_of("0123456789+-.eE") != std::string::npos;
}

}  // namespace

std::vector<std::string> JobKeys() { return KeysOf(kOtherJobKeys, JobFields()); }
std::vector<std::string> BatchKeys() { return KeysOf(kOtherBatchKeys, BatchFields()); }

Result<JobDraft> ReadDefaults(const Node& node, const KeyContext& context) {
  if (node.kind != Node::Kind::kMap) return Bad(context, node.line, "defaults: must be a map of keys of a job");
  for (const char* key : {"argv", "shell", "name"}) {
    if (const Node* own = node.Find(key))
      return Bad(context, own->line, std::string("defaults: ") + key + " is each job's own and cannot be given for all");
  }
  return ReadKeys(node, context);
}

Result<JobDraft> ReadJob(const Node& node, const KeyContext& context) {
  if (node.kind == Node::Kind::kScalar && IsCommand(node)) {
    JobDraft job;
    job.shell = true;
    job.line = node.line;
    job.argv = {node.scalar};
    return job;
  }
  if (node.kind != Node::Kind::kMap) return Bad(context, node.line, "a job must be a shell command, or a map with argv or shell");
  JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadKeys(node, context));
  if (job.argv.empty()) return Bad(context, node.line, "the job has neither argv nor shell");
  return job;
}

Result<BatchDraft> ReadBatchOptions(const Node& node, const KeyContext& context) {
  BatchDraft batch;
  for (const auto& [key, value] : node.entries) {
    if (key == "jobs" || key == "defaults") continue;
    if (const BatchField* field = FindField(BatchFields(), key)) {
      JOBD_RETURN_IF_ERROR(SetField(*field, value, context, batch.fields));
    } else if (key == "labels" && value.kind == Node::Kind::kMap) {
      for (const auto& [name, label] : value.entries) {
        if (label.kind != Node::Kind::kScalar) return Bad(context, label.line, "labels." + name + ": must be a text");
        batch.labels.emplace_back(name, label.scalar);
      }
    } else if (key == "labels" && value.kind == Node::Kind::kList) {
      for (const Node& item : value.items) {
        if (item.kind != Node::Kind::kScalar) return Bad(context, item.line, "labels: must be a list of KEY=VALUE");
        JOBD_RETURN_IF_ERROR(At(context, item, "labels", AddLabel(batch, item.scalar)));
      }
    } else if (key == "labels") {
      return Bad(context, value.line, "labels: must be a map");
    } else {
      return UnknownKey(context, value, key, Place::kBatch);
    }
  }
  return batch;
}

}  // namespace jobd::cli
