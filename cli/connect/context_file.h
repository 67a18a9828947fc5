// The file of contexts: several jobd, and who we are to each.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cli/connect/settings.h"

namespace jobd::cli {

// One [context.NAME] of the configuration. Paths are absolute or relative to the current directory: those in the file were relative
// to the file's directory, or began with "~/".
struct Context {
  std::string address;
  std::string ca;
  std::string cert;
  std::string key;
  std::string token_file;

  bool operator==(const Context&) const = default;
};

struct ContextFile {
  std::string path;
  bool exists = false;
  std::string current;  // empty: none
  std::map<std::string, Context> contexts;
};

// --config, else $XDG_CONFIG_HOME/jobctl/config.toml, else ~/.config/jobctl/config.toml; empty when there is no home.
std::string ContextFilePath(const GlobalOptions& options, const Environment& env);
// A missing file counts as empty, unless --config named it. Unknown keys are errors.
base::Result<ContextFile> LoadContexts(const GlobalOptions& options, const Environment& env);
// The same of a file's text; `path` is what errors name, and what its paths are relative to.
base::Result<ContextFile> ParseContexts(const std::string& text, const std::string& path, const Environment& env);

}  // namespace jobd::cli
