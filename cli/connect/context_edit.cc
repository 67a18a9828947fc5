#include "cli/connect/context_edit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/files.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// JSON's strings are TOML's basic strings.
std::string Quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string Header(const std::string& name) {
  const bool bare = !name.empty() &&
                    name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  return "[context." + (bare ? name : Quoted(name)) + "]\n";
}

// The lines of `text`, each with its newline.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  return lines;
}

std::string_view Trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
}

bool IsHeader(const std::string& line) { return Trimmed(line).starts_with('['); }

bool SetsCurrent(const std::string& line) {
  const std::string_view rest = Trimmed(line);
  return rest.starts_with("current") && rest.find_first_not_of(" \t", 7) == rest.find('=', 7);
}

// The contexts of a text, its paths as they stand there.
Result<ContextFile> Parse(const std::string& text) {
  return ParseContexts(text, "", [](const char*) { return std::optional<std::string>(); });
}

// The context whose table begins with this line alone: "x" for "[context.x]".
std::string NameInHeader(const std::string& line) {
  const auto parsed = Parse(line);
  return parsed.ok() && parsed->contexts.size() == 1 ? parsed->contexts.begin()->first : std::string();
}

}  // namespace

std::string WithCurrent(const std::string& text, const std::string& name) {
  const std::string setting = "current = " + Quoted(name) + "\n";
  std::string out;
  bool replaced = false;
  bool in_table = false;  // a key `current` behind a [table] line is another one
  for (const std::string& line : Lines(text)) {
    in_table = in_table || IsHeader(line);
    const bool is_current = !in_table && SetsCurrent(line);
    out += is_current ? setting : line;
    replaced = replaced || is_current;
  }
  return replaced ? out : setting + out;
}

std::string WithContext(const std::string& text, const std::string& name, const Context& context) {
  std::string out = text;
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  if (!out.empty()) out += '\n';
  out += Header(name);
  const auto add = [&out](const char* key, const std::string& value) {
    if (!value.empty()) out += std::string(key) + " = " + Quoted(value) + "\n";
  };
  add("address", context.address);
  add("ca", context.ca);
  add("cert", context.cert);
  add("key", context.key);
  add("token_file", context.token_file);
  return out;
}

Result<std::string> WithoutContext(const std::string& text, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(ContextFile expected, Parse(text));
  const bool was_current = expected.current == name;
  expected.contexts.erase(name);
  if (was_current) expected.current.clear();

  std::string out;
  bool in_table = false;
  bool in_context = false;
  for (const std::string& line : Lines(text)) {
    if (IsHeader(line)) {
      in_table = true;
      in_context = NameInHeader(line) == name;
    }
    const bool is_current = was_current && !in_table && SetsCurrent(line);
    if (!in_context && !is_current) out += line;
  }
  const auto left = Parse(out);
  if (!left.ok() || left->contexts != expected.contexts || left->current != expected.current) {
    return Error(Code::kFailedPrecondition,
                 "context '" + name + "' is not a table [context." + name + "] of its own; take it out of the file by hand");
  }
  return out;
}

Status SaveContexts(const std::string& path, const std::string& text) {
  std::error_code failed;
  std::filesystem::path target = std::filesystem::canonical(path, failed);  // behind links; fails where there is no file yet
  if (failed) target = std::filesystem::absolute(path);
  const std::string directory = target.parent_path();
  for (size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
    const std::string part = directory.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return base::SysError("making " + part, errno);
    if (slash == std::string::npos) break;
  }
  JOBD_ASSIGN_OR_RETURN(const base::Fd folder, base::OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  return base::ReplaceFile(folder.get(), target.filename(), text, 0600);
}

}  // namespace jobd::cli
