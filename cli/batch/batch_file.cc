#include "cli/batch/batch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "cli/batch/document.h"
#include "cli/batch/job_keys.h"
#include "cli/batch/script.h"
#include "cli/view/file_line.h"

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

bool BeginsWithTag(std::string_view line) { return line.size() > 1 && line[0] == '!' && kBlank.find(line[1]) == kBlank.npos; }

// "memory: 1G" or "\"argv\":": a word and a colon with a blank or nothing behind it. No shell command begins so, whatever the word.
bool BeginsLikeMapping(std::string_view line) {
  const auto colon_ends = [line](size_t colon) { return colon + 1 == line.size() || kBlank.find(line[colon + 1]) != kBlank.npos; };
  if (line[0] == '"' || line[0] == '\'') {
    const size_t close = line.find(line[0], 1);
    return close != std::string_view::npos && close + 1 < line.size() && line[close + 1] == ':' && colon_ends(close + 1);
  }
  size_t colon = line.find(':');
  while (colon != std::string_view::npos && !colon_ends(colon)) colon = line.find(':', colon + 1);
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view word = line.substr(0, colon);
  if (word.find_first_of("=$") != std::string_view::npos) return false;  // "PATH=/bin: make"
  if (word.find_first_of(kBlank) == std::string_view::npos) return true;
  return IsKey(Trim(word));  // "jobs : […]"; of others it may be an argument: "echo x :"
}

bool LooksLikeYaml(std::string_view line) {
  const auto is_marker = [line](std::string_view marker) {
    return line == marker || (line.starts_with(marker) && kBlank.find(line[marker.size()]) != kBlank.npos);
  };
  for (const std::string_view marker : {"---", "...", "-", "?"}) {
    if (is_marker(marker)) return true;
  }
  if (const std::string_view inner = Trim(line.substr(1)); line[0] == '{' && !inner.empty() && BeginsLikeMapping(inner))
    return true;
  if (line.starts_with("%YAML") || line.starts_with("%TAG") || line.starts_with('&')) return true;
  return BeginsWithTag(line) || BeginsLikeMapping(line);
}

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The byte order marks of UTF-8, UTF-16 and UTF-32.
bool BeginsWithByteOrderMark(std::string_view text) {
  return text.starts_with(kByteOrderMark) || text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ||
         text.starts_with(std::string_view("\0\0\xfe\xff", 4));
}

// `{ cmd; }` and `[ -f x ]` are shell, too; JSON goes on with a string, a bracket or the end of the line.
bool LooksLikeJson(std::string_view line) {
  const char open = line[0];
  if (line.starts_with("[\"")) return true;  // a test in a shell has a blank behind the bracket
  line = Trim(line.substr(1));
  if (open == '{') return line.empty() || line.starts_with('"') || line.starts_with('}');
  return line.empty() || line.starts_with('{') || line == "]";
}

std::string_view WithoutMark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

// A job per line, or one document; by its first line.
BatchFormat JsonFormat(std::string_view first) {
  const auto whole = ParseJson(first, "", 1);
  const bool line_is_job = whole.ok() && whole->kind == Node::Kind::kMap && whole->Find("jobs") == nullptr;
  return line_is_job ? BatchFormat::kJsonLines : BatchFormat::kJson;
}

Result<BatchFile> FromScript(const std::string& text, const KeyContext& context) {
  BatchFile batch;
  JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadScript(text, context.file_name));
  batch.jobs.push_back(std::move(job));
  return batch;
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
  if (jobs != nullptr && jobs != &root && jobs->kind != Node::Kind::kList) {
    return AtLine(context.file_name, jobs->line,
                  "jobs: must be a list, each of its items a job: `- shell: make`, `- argv: [make, -j4]`");
  }
  if (jobs == nullptr || jobs->kind != Node::Kind::kList) {
    return Error(Code::kInvalidArgument, context.file_name + ":" + std::to_string(root.line) +
                                             ": there must be a list of jobs, or a map with `jobs:`; shell commands, one a line, "
                                             "need --format lines");
  }
  JobDraft defaults;
  if (const Node* node = root.Find("defaults"); node != nullptr && root.kind == Node::Kind::kMap) {
    JOBD_ASSIGN_OR_RETURN(defaults, ReadDefaults(*node, context));
  }
  for (const Node& item : jobs->items) {
    JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadJob(item, context));
    ApplyDefaults(job, defaults);
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

Result<BatchFile> FromJsonLines(std::string_view text, const KeyContext& context) {
  BatchFile batch;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = Trim(TakeLine(text));
    if (line.empty() || line.starts_with('#')) continue;
    JOBD_ASSIGN_OR_RETURN(const Node node, ParseJson(line, context.file_name, line_number));
    JOBD_ASSIGN_OR_RETURN(JobDraft job, ReadJob(node, context));
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

// True when the line's end is escaped: an odd number of backslashes.
bool GoesOn(std::string_view line) { return (line.size() - 1 - line.find_last_not_of('\\')) % 2 == 1; }

BatchFile FromLines(std::string_view text) {
  BatchFile batch;
  int line_number = 0;
  const auto take = [&] {
    ++line_number;
    std::string_view line = TakeLine(text);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  };
  while (!text.empty()) {
    const std::string_view line = take();
    const std::string_view trimmed = Trim(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    JobDraft job;
    job.shell = true;
    job.line = line_number;
    job.argv = {std::string(line)};
    for (std::string_view last = line; GoesOn(last) && !text.empty();) {
      last = take();
      job.argv[0] += "\n" + std::string(last);
    }
    batch.jobs.push_back(std::move(job));
  }
  return batch;
}

Result<BatchFile> Parse(BatchFormat format, const std::string& text, const KeyContext& context) {
  switch (format) {
    case BatchFormat::kLines: return FromLines(WithoutMark(text));
    case BatchFormat::kScript: return FromScript(text, context);
    case BatchFormat::kJsonLines: return FromJsonLines(WithoutMark(text), context);
    case BatchFormat::kJson:
    case BatchFormat::kYaml: break;
  }
  JOBD_ASSIGN_OR_RETURN(const Node root, format == BatchFormat::kJson ? ParseJson(WithoutMark(text), context.file_name, 1)
                                                                      : ParseYaml(text, context.file_name));
  return FromDocument(root, context);
}

}  // namespace

BatchFormat DetectFormat(std::string_view file_name, std::string_view text) {
  const auto is = [file_name](std::string_view extension) { return file_name.ends_with(extension); };
  if (is(".yaml") || is(".yml")) return BatchFormat::kYaml;
  const std::string_view first = FirstLine(WithoutMark(text));
  if (is(".jsonl") || is(".ndjson")) return first.empty() ? BatchFormat::kLines : BatchFormat::kJsonLines;
  if (is(".json")) return JsonFormat(first);
  if (text.starts_with("#!")) return BatchFormat::kScript;
  if (!first.empty() && (first[0] == '{' || first[0] == '[') && LooksLikeJson(first)) return JsonFormat(first);
  if (BeginsWithByteOrderMark(text)) return BatchFormat::kYaml;
  return !first.empty() && LooksLikeYaml(first) ? BatchFormat::kYaml : BatchFormat::kLines;
}

Result<BatchFormat> FormatNamed(std::string_view word, std::string_view text) {
  if (word == "yaml") return BatchFormat::kYaml;
  if (word == "lines") return BatchFormat::kLines;
  if (word == "json") return JsonFormat(FirstLine(WithoutMark(text)));
  return Error(Code::kInvalidArgument, "there is no format '" + base::EscapeForTerminal(word) + "': yaml, json or lines");
}

Result<BatchFile> ParseBatchFile(BatchFormat format, const std::string& file_name, const std::string& text,
                                 const std::string& directory) {
  JOBD_ASSIGN_OR_RETURN(BatchFile batch, Parse(format, text, {file_name, directory}));
  if (batch.jobs.empty()) return Error(Code::kInvalidArgument, file_name + ": there is no job in it");
  return batch;
}

Result<BatchFile> LoadBatchFile(const std::string& path, const std::string& format) {
  const bool from_stdin = path == "-";
  auto text = from_stdin ? base::ReadAll(STDIN_FILENO, kMaxBatchFile) : base::ReadFile(AT_FDCWD, path, kMaxBatchFile);
  if (!text.ok() && !from_stdin) return std::move(text).error();
  if (!text.ok()) return std::move(text).error().WithContext("standard input");
  BatchFormat known = DetectFormat(from_stdin ? "" : path, *text);
  if (!format.empty()) {
    JOBD_ASSIGN_OR_RETURN(known, FormatNamed(format, *text));
  }
  if (from_stdin) return ParseBatchFile(known, "standard input", *text, "");
  const size_t slash = path.rfind('/');
  return ParseBatchFile(known, path, *text, slash == std::string::npos ? "" : path.substr(0, slash + 1));
}

}  // namespace jobd::cli
