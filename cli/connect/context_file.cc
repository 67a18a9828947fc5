#include "cli/connect/context_file.h"

#include <fcntl.h>
#include <toml++/toml.h>

#include "base/files.h"
#include "cli/view/file_line.h"
#include "cli/view/suggest.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kMaxFile = size_t{1} << 20;

Error Bad(const ContextFile& file, const toml::source_region& where, const std::string& what) {
  return AtLine(file.path, static_cast<int>(where.begin.line), what);
}

std::string FullPath(const std::string& path, const std::string& directory, const Environment& env) {
  if (path.starts_with("~/")) return env("HOME").value_or("") + path.substr(1);
  return path.empty() || path.starts_with('/') ? path : directory + path;
}

Status ReadContext(const ContextFile& file, const std::string& directory, const Environment& env, const toml::table& table,
                   Context& context) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto value = node.value<std::string>();
    if (!value) return Bad(file, node.source(), name + " must be a text");
    if (name == "address") {
      context.address = *value;
    } else if (name == "ca") {
      context.ca = FullPath(*value, directory, env);
    } else if (name == "cert") {
      context.cert = FullPath(*value, directory, env);
    } else if (name == "key") {
      context.key = FullPath(*value, directory, env);
    } else if (name == "token_file") {
      context.token_file = FullPath(*value, directory, env);
    } else {
      return Bad(file, node.source(),
                 "unknown key '" + name + "'" + DidYouMean(name, {"address", "ca", "cert", "key", "token_file"}));
    }
  }
  return base::Ok();
}

Status ReadFile(ContextFile& file, const Environment& env, const toml::table& root) {
  const std::string directory = file.path.substr(0, file.path.rfind('/') + 1);
  for (const auto& [key, node] : root) {
    const std::string name(key.str());
    if (name == "current" && node.is_string()) {
      file.current = node.value<std::string>().value_or("");
    } else if (name == "context" && node.is_table()) {
      for (const auto& [context_key, context_node] : *node.as_table()) {
        const toml::table* table = context_node.as_table();
        if (table == nullptr) return Bad(file, context_node.source(), "a context must be a table, [context.NAME]");
        JOBD_RETURN_IF_ERROR(ReadContext(file, directory, env, *table, file.contexts[std::string(context_key.str())]));
      }
    } else {
      return Bad(file, node.source(), "unknown key '" + name + "'" + DidYouMean(name, {"current", "context"}));
    }
  }
  return base::Ok();
}

}  // namespace

std::string ContextFilePath(const GlobalOptions& options, const Environment& env) {
  if (options.config_file) return *options.config_file;
  if (const auto xdg = env("XDG_CONFIG_HOME"); xdg && xdg->starts_with('/')) return *xdg + "/jobctl/config.toml";
  if (const auto home = env("HOME"); home && home->starts_with('/')) return *home + "/.config/jobctl/config.toml";
  return "";
}

Result<ContextFile> ParseContexts(const std::string& text, const std::string& path, const Environment& env) {
  ContextFile file{.path = path, .exists = true};
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) return Bad(file, parsed.error().source(), std::string(parsed.error().description()));
  JOBD_RETURN_IF_ERROR(ReadFile(file, env, parsed.table()));
  return file;
}

Result<ContextFile> LoadContexts(const GlobalOptions& options, const Environment& env) {
  ContextFile file;
  file.path = ContextFilePath(options, env);
  if (file.path.empty()) return file;
  auto text = base::ReadFile(AT_FDCWD, file.path, kMaxFile);
  if (!text.ok()) {
    const bool needed = options.config_file.has_value();
    if (!needed && (text.error().code() == Code::kNotFound || text.error().code() == Code::kPermissionDenied)) return file;
    return std::move(text).error();
  }
  return ParseContexts(*text, file.path, env);
}

}  // namespace jobd::cli
