// The settings of every verb: where jobd is, who we are, how to print.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::cli {

enum class OutputFormat { kTable, kWide, kJson, kJsonLines, kName };
// "table", "wide", "json", "jsonl", "name".
base::Result<OutputFormat> ParseOutputFormat(std::string_view text);

// The global options as given; empty: not given.
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

// Looks up a variable of the environment.
using Environment = std::function<std::optional<std::string>(const char*)>;
Environment ProcessEnvironment();

struct Connection {
  std::string address = "127.0.0.1:7443";
  std::string ca;
  std::string cert;
  std::string key;
  std::string token_file;       // where the token of a login is kept
  bool token_is_asked = false;  // by --token-file or the context: there must be one
  base::Nanos connect_timeout = 10 * base::kNanosPerSecond;
  // Not 0: for who can do without an answer. Each call is made once, and is over after this time, whatever the service does.
  base::Nanos answer_within = 0;
};

// A flag counts before JOBCTL_ADDRESS, JOBCTL_CA, JOBCTL_CERT and JOBCTL_KEY, and those before the context.
base::Result<Connection> ResolveConnection(const GlobalOptions& options, const Environment& env);
// Where the token of a login is kept that no other place was named for: beside the file of contexts (empty: nowhere), a file for
// each name. Any text is a name.
std::string DefaultTokenFile(const std::string& contexts, const std::string& name);
// --json, -o, JOBCTL_OUTPUT; else a table.
base::Result<OutputFormat> ResolveFormat(const GlobalOptions& options, const Environment& env);

// "HOST:PORT", "[v6]:PORT", or either without the port (7443), as its two parts. Blanks around it and "https://" are left away. An
// IPv6 address without brackets is refused where its end may be meant as the port. kInvalidArgument names the right form.
base::Result<std::pair<std::string, std::string>> SplitAddress(const std::string& address);
// The address as "HOST:PORT" or "[v6]:PORT"; as it is when it is none.
std::string WithPort(const std::string& address);

}  // namespace jobd::cli
