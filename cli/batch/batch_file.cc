#include "cli/batch/batch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

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

// Whether "nightly build" may be a key: plain words. What shells take for something else is none, nor are the words by which a line
// begins that prints or tests: of "echo x: y" the rest is arguments.
bool MayBeKeyOfWords(std::string_view words) {
  constexpr auto kShellsOwn =
      std::to_array<std::string_view>({"alias", "cd",   "case", "command", "echo",   "eval",  "exec",   "exit", "export", "false",
                                       "for",   "if",   "let",  "local",   "printf", "read",  "return", "set",  "sleep",  "source",
                                       "test",  "time", "trap", "true",    "type",   "unset", "until",  "wait", "while"});
  if (words.find_first_of("|&;<>()$`\\\"'*?[]#~=%{}!/,@") != std::string_view::npos) return false;
  const std::string_view first = words.substr(0, words.find_first_of(kBlank));
  if (std::find(kShellsOwn.begin(), kShellsOwn.end(), first) != kShellsOwn.end()) return false;
  return words.find(" -") == std::string_view::npos && words.find("\t-") == std::string_view::npos && !words.starts_with('-');
}

// "memory: 1G" or "\"argv\":": a word and a colon with a blank or nothing behind it. No shell command begins so, whatever the word;
// of several words a shell command may, but a list of jobs is not to be run for that: who means commands can say so.
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
  const std::string_view words = Trim(word);
  if (words.find_first_of(kBlank) == std::string_view::npos) return IsKey(words);  // "jobs : […]"; but "make :"
  return MayBeKeyOfWords(words);
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
  if (line[0] == '|' || line == ">" || line == ">-" || line == ">+") return true;  // a block of text
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

bool IsNamedYaml(std::string_view file_name) { return file_name.ends_with(".yaml") || file_name.ends_with(".yml"); }

// For an author of shell commands whose first line only looks like YAML.
Error WithWhatItWasTakenFor(Error error) {
  constexpr std::string_view kForced = "--format lines";
  if (error.message().find(kForced) != std::string::npos) return error;
  const std::string hint = " (its first line makes this YAML; shell commands, one a line, need " + std::string(kForced) + ")";
  std::vector<base::FieldViolation> violations = error.violations();
  if (!violations.empty()) violations.back().problem += hint;
  Error with_hint(error.code(), error.message() + hint);
  return std::move(with_hint).WithErrno(error.sys_errno()).WithViolations(std::move(violations));
}

Result<BatchFile> FromScript(const std::string& text, const KeyContext& context) {
  if (text.starts_with(kByteOrderMark)) {
    return AtLine(context.file_name, 1,
                  "a byte order mark stands before the #!, so that no system would run this script: save the file without it");
  }
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
    return AtLine(context.file_name, root.line,
                  "there must be a list of jobs, or a map with `jobs:`; shell commands, one a line, need --format lines");
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
  if (IsNamedYaml(file_name)) return BatchFormat::kYaml;
  const std::string_view first = FirstLine(WithoutMark(text));
  if (is(".jsonl") || is(".ndjson")) return first.empty() ? BatchFormat::kLines : BatchFormat::kJsonLines;
  if (is(".json")) return JsonFormat(first);
  if (WithoutMark(text).starts_with("#!")) return BatchFormat::kScript;
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
  if (batch.jobs.empty()) return FieldError(file_name, "there is no job in it");
  return batch;
}

Result<BatchFile> LoadBatchFile(const std::string& path, const std::string& format) {
  const bool from_stdin = path == "-";
  const std::string name = from_stdin ? "standard input" : path;
  auto text = from_stdin ? base::ReadAll(STDIN_FILENO, kMaxBatchFile) : base::ReadFile(AT_FDCWD, path, kMaxBatchFile);
  if (!text.ok() && !from_stdin) return std::move(text).error();
  if (!text.ok()) return std::move(text).error().WithContext("standard input");
  BatchFormat known = DetectFormat(from_stdin ? "" : path, *text);
  if (!format.empty()) {
    JOBD_ASSIGN_OR_RETURN(known, FormatNamed(format, *text));
  }
  const size_t slash = from_stdin ? std::string::npos : path.rfind('/');
  auto batch = ParseBatchFile(known, name, *text, slash == std::string::npos ? "" : path.substr(0, slash + 1));
  const bool guessed = format.empty() && known == BatchFormat::kYaml && !IsNamedYaml(name);
  if (!batch.ok() && guessed) return WithWhatItWasTakenFor(std::move(batch).error());
  return batch;
}

}  // namespace jobd::cli
