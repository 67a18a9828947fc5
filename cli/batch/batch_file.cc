#include "cli/batch/batch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "cli/batch/document.h"
#include "cli/batch/job_keys.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kBlank = " \t\r";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Takes a line, without its newline, off the front.
std::string_view TakeLine(std::string_view& text) {
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line;
}

// The first line that is neither blank nor a comment.
std::string_view FirstLine(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = Trim(TakeLine(text));
    if (!line.empty() && !line.starts_with('#')) return line;
  }
  return {};
}

bool IsKey(std::string_view word) {
  const auto is_word = [word](const std::string& key) { return key == word; };
  const std::vector<std::string> job = JobKeys();
  const std::vector<std::string> batch = BatchKeys();
  return std::any_of(job.begin(), job.end(), is_word) || std::any_of(batch.begin(), batch.end(), is_word);
}

// "memory: 1G" or "\"argv\":", which no shell command begins with.
bool BeginsWithKey(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || (colon + 1 < line.size() && line[colon + 1] != ' ')) return false;
  std::string_view word = Trim(line.substr(0, colon));
  if (word.size() > 2 && word.starts_with('"') && word.ends_with('"')) word = word.substr(1, word.size() - 2);
  return IsKey(word);
}

bool LooksLikeYaml(std::string_view line) { return line == "---" || line == "-" || line.starts_with("- ") || BeginsWithKey(line); }

// `{ cmd; }` and `[ -f x ]` are shell, too; JSON goes on with a string, a bracket or the end of the line.
bool LooksLikeJson(std::string_view line) {
  const char open = line[0];
  line = Trim(line.substr(1));
  if (open == '{') return line.empty() || line.starts_with('"') || line.starts_with('}');
  return line.empty() || line.starts_with('{') || line == "]";
}

Result<BatchFile> FromDocument(const Node& root, const KeyContext& context) {
  BatchFile batch;
  const Node* jobs = &root;
  if (root.kind == Node::Kind::kMap && root.Find("jobs") == nullptr &&
      (root.Find("argv") != nullptr || root.Find("shell") != nullptr)) {
    JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadJob(root, context));
    batch.jobs.push_back(std::move(job));
    return batch;
  }
  if (root.kind == Node::Kind::kMap) {
    JOBD_ASSIGN_OR_RETURN(batch.options, ReadBatchOptions(root, context));
    jobs = root.Find("jobs");
  }
  if (jobs == nullptr || jobs->kind != Node::Kind::kList) {
    return Error(Code::kInvalidArgument,
                 context.file_name + ":" + std::to_string(root.line) + ": there must be a list of jobs, or a map with `jobs:`");
  }
  for (const Node& item : jobs->items) {
    JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadJob(item, context));
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

Result<BatchFile> FromJsonLines(std::string_view text, const KeyContext& context) {
  BatchFile batch;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = Trim(TakeLine(text));
    if (line.empty() || line.starts_with('#')) continue;
    auto node = ParseJson(line, line_number);
    if (!node.ok()) return std::move(node).error().WithContext(context.file_name);
    JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadJob(*node, context));
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

BatchFile FromLines(std::string_view text) {
  BatchFile batch;
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view trimmed = Trim(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    JobDraft job;
    job.shell = true;
    job.argv = {std::string(line)};
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

Result<BatchFile> Parse(BatchFormat format, const std::string& text, const KeyContext& context) {
  switch (format) {
    case BatchFormat::kLines: return FromLines(text);
    case BatchFormat::kJsonLines: return FromJsonLines(text, context);
    case BatchFormat::kJson:
    case BatchFormat::kYaml: break;
  }
  auto node = format == BatchFormat::kJson ? ParseJson(text, 1) : ParseYaml(text);
  if (!node.ok()) return std::move(node).error().WithContext(context.file_name);
  return FromDocument(*node, context);
}

}  // namespace

BatchFormat DetectFormat(std::string_view file_name, std::string_view text) {
  const auto is = [file_name](std::string_view extension) { return file_name.ends_with(extension); };
  if (is(".yaml") || is(".yml")) return BatchFormat::kYaml;
  if (is(".txt") || is(".sh")) return BatchFormat::kLines;
  const std::string_view first = FirstLine(text);
  if (first.empty()) return BatchFormat::kLines;
  if (is(".jsonl") || is(".ndjson")) return BatchFormat::kJsonLines;
  const bool json = (first[0] == '{' || first[0] == '[') && LooksLikeJson(first);
  if (json || is(".json")) {
    const auto whole = ParseJson(first, 1);
    const bool line_is_job = whole.ok() && whole->kind == Node::Kind::kMap && whole->Find("jobs") == nullptr;
    return line_is_job ? BatchFormat::kJsonLines : BatchFormat::kJson;
  }
  return LooksLikeYaml(first) ? BatchFormat::kYaml : BatchFormat::kLines;
}

Result<BatchFile> ParseBatchFile(BatchFormat format, const std::string& file_name, const std::string& text,
                                 const std::string& directory) {
  JOBD_ASSIGN_OR_RETURN(BatchFile batch, Parse(format, text, {file_name, directory}));
  if (batch.jobs.empty()) return Error(Code::kInvalidArgument, file_name + ": there is no job in it");
  return batch;
}

Result<BatchFile> LoadBatchFile(const std::string& path) {
  if (path == "-") {
    auto text = base::ReadAll(STDIN_FILENO, kMaxBatchFile);
    if (!text.ok()) return std::move(text).error().WithContext("standard input");
    return ParseBatchFile(DetectFormat("", *text), "standard input", *text, "");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(AT_FDCWD, path, kMaxBatchFile));
  const size_t slash = path.rfind('/');
  return ParseBatchFile(DetectFormat(path, text), path, text, slash == std::string::npos ? "" : path.substr(0, slash + 1));
}

}  // namespace jobd::cli
