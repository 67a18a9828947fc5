// What every verb is told: where jobd is, who we are, how to print.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::cli {

enum class OutputFormat { kTable, kWide, kJson, kJsonLines, kName };
// "table", "wide", "json", "jsonl", "name".
base::Result<OutputFormat> ParseOutputFormat(std::string_view text);

// The global options as given; what was not is empty.
struct GlobalOptions {
  std::optional<std::string> address;
  std::optional<std::string> ca;
  std::optional<std::string> cert;
  std::optional<std::string> key;
  std::optional<std::string> token_file;
  std::optional<std::string> context;
  std::optional<std::string> config_file;
  std::optional<std::string> output;
  std::optional<std::string> connect_timeout;
  bool json = false;
  bool no_color = false;
  bool quiet = false;
};

// One [context.NAME] of the configuration. Paths are absolute or relative to the current directory: those in the file were relative
// to the file's directory, or began with "~/".
struct Context {
  std::string address;
  std::string ca;
  std::string cert;
  std::string key;
  std::string token_file;
};

struct ContextFile {
  std::string path;
  bool exists = false;
  std::string current;  // empty: none
  std::map<std::string, Context> contexts;
};

// Looks up a variable of the environment.
using Environment = std::function<std::optional<std::string>(const char*)>;
Environment ProcessEnvironment();

// --config, else $XDG_CONFIG_HOME/jobctl/config.toml, else ~/.config/jobctl/config.toml; empty when there is no home.
std::string ContextFilePath(const GlobalOptions& options, const Environment& env);
// A file that is not there is an empty one, unless it was named by --config. Unknown keys are errors.
base::Result<ContextFile> LoadContexts(const GlobalOptions& options, const Environment& env);
// The text of a configuration with `current` set to `name`; all else stays as it is, comments too.
std::string WithCurrent(const std::string& text, const std::string& name);

struct Connection {
  std::string address = "127.0.0.1:7443";
  std::string ca;
  std::string cert;
  std::string key;
  std::string token_file;
  base::Nanos connect_timeout = 10 * base::kNanosPerSecond;
};

// A flag counts before JOBCTL_ADDRESS, JOBCTL_CA, JOBCTL_CERT and JOBCTL_KEY, and those before the context.
base::Result<Connection> ResolveConnection(const GlobalOptions& options, const Environment& env);
// --json, -o, JOBCTL_OUTPUT; else a table.
base::Result<OutputFormat> ResolveFormat(const GlobalOptions& options, const Environment& env);

}  // namespace jobd::cli
