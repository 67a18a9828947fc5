#include "cli/connect/settings.h"

#include <arpa/inet.h>

#include <array>
#include <cstdlib>

#include "base/sha256.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/connect/context_file.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsIpv6(const std::string& host) {
  in6_addr unused{};
  return ::inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

// The first that is given.
std::string Pick(const std::optional<std::string>& flag, const std::optional<std::string>& variable, const std::string& context,
                 const std::string& otherwise) {
  if (flag) return *flag;
  if (variable && !variable->empty()) return *variable;
  return context.empty() ? otherwise : context;
}

Result<Context> PickContext(const GlobalOptions& options, const ContextFile& file) {
  const std::string name = options.context.value_or(file.current);
  if (name.empty()) return Context{};
  const auto found = file.contexts.find(name);
  if (found != file.contexts.end()) return found->second;
  return Error(Code::kInvalidArgument, "there is no context '" + name + "' in " + file.path + "; see `jobctl context list`");
}

}  // namespace

std::string DefaultTokenFile(const std::string& contexts, const std::string& name) {
  if (contexts.empty()) return "";
  // Behind the dot, where no safe name is.
  const std::string file = base::IsSafeName(name) ? name : "." + base::Hex(base::Sha256Of(name)).substr(0, 32);
  return contexts.substr(0, contexts.rfind('/') + 1) + "tokens/" + file;
}

Environment ProcessEnvironment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Result<OutputFormat> ParseOutputFormat(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, OutputFormat>, 5> kFormats{{{"table", OutputFormat::kTable},
                                                                               {"wide", OutputFormat::kWide},
                                                                               {"json", OutputFormat::kJson},
                                                                               {"jsonl", OutputFormat::kJsonLines},
                                                                               {"name", OutputFormat::kName}}};
  for (const auto& [name, format] : kFormats) {
    if (name == text) return format;
  }
  return Error(Code::kInvalidArgument, "there is no output format '" + std::string(text) + "': table, wide, json, jsonl or name");
}

Result<OutputFormat> ResolveFormat(const GlobalOptions& options, const Environment& env) {
  if (options.json) return OutputFormat::kJson;
  if (options.output) return ParseOutputFormat(*options.output);
  if (const auto variable = env("JOBCTL_OUTPUT"); variable && !variable->empty()) {
    auto format = ParseOutputFormat(*variable);
    if (!format.ok()) return std::move(format).error().WithContext("JOBCTL_OUTPUT");
    return format;
  }
  return OutputFormat::kTable;
}

Result<Connection> ResolveConnection(const GlobalOptions& options, const Environment& env) {
  JOBD_ASSIGN_OR_RETURN(const ContextFile file, LoadContexts(options, env));
  JOBD_ASSIGN_OR_RETURN(const Context context, PickContext(options, file));
  Connection connection;
  connection.address = Pick(options.address, env("JOBCTL_ADDRESS"), context.address, connection.address);
  connection.ca = Pick(options.ca, env("JOBCTL_CA"), context.ca, "");
  connection.cert = Pick(options.cert, env("JOBCTL_CERT"), context.cert, "");
  connection.key = Pick(options.key, env("JOBCTL_KEY"), context.key, "");
  connection.token_file = Pick(options.token_file, std::nullopt, context.token_file, "");
  connection.token_is_asked = !connection.token_file.empty();
  if (!connection.token_is_asked) {
    const std::string name = options.context.value_or(file.current);
    connection.token_file = DefaultTokenFile(file.path, name.empty() ? connection.address + "\n" + connection.cert : name);
  }
  if (options.connect_timeout) {
    auto timeout = base::ParseDuration(*options.connect_timeout);
    if (!timeout.ok()) return std::move(timeout).error().WithContext("--connect-timeout");
    connection.connect_timeout = *timeout;
  }
  const std::array<std::pair<const std::string&, const char*>, 3> needed{
      {{connection.ca, "a CA certificate (--ca or JOBCTL_CA)"},
       {connection.cert, "a client certificate (--cert or JOBCTL_CERT)"},
       {connection.key, "a client key (--key or JOBCTL_KEY)"}}};
  std::string missing;
  for (const auto& [value, what] : needed) {
    if (value.empty()) missing += (missing.empty() ? "" : ", ") + std::string(what);
  }
  if (!missing.empty()) {
    return Error(Code::kFailedPrecondition, "jobctl needs " + missing + "; `jobctl context add` keeps them (see its --help)");
  }
  return connection;
}

Result<std::pair<std::string, std::string>> SplitAddress(const std::string& address) {
  const auto bad = [&address](const std::string& form) {
    return Error(Code::kInvalidArgument, "'" + base::EscapeForTerminal(address) + "' is not an address: " + form);
  };
  std::string_view rest = Trimmed(address);
  if (constexpr std::string_view kScheme = "https://"; rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  std::string host(rest);
  std::string port = "7443";
  const size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) return bad("[ADDRESS]:PORT");
    host = rest.substr(1, close - 1);
    const std::string_view behind = rest.substr(close + 1);
    if (!behind.empty() && !behind.starts_with(':')) return bad("[ADDRESS]:PORT");
    if (!behind.empty()) port = behind.substr(1);
    if (!IsIpv6(host)) return bad("[ADDRESS]:PORT with an IPv6 address");
  } else if (colon != std::string_view::npos && rest.find(':') == colon) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  } else if (colon != std::string_view::npos) {
    // "::1:7443" is an address of its own, though hardly the one that is meant.
    const std::string before(rest.substr(0, colon));
    if (IsIpv6(before)) return bad("write [" + before + "]:" + std::string(rest.substr(colon + 1)) + ", or [" + host + "]:PORT");
    if (!IsIpv6(host)) return bad("HOST:PORT, or [ADDRESS]:PORT with an IPv6 address");
  }
  const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65535 || std::stoi(port) == 0) return bad("HOST:PORT, where PORT is 1 to 65535");
  constexpr std::string_view kHostName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  const bool is_name = !host.empty() && host.find_first_not_of(kHostName) == std::string::npos;
  if (!is_name && !IsIpv6(host)) return bad("HOST:PORT");
  return std::make_pair(host, port);
}

std::string WithPort(const std::string& address) {
  const auto parts = SplitAddress(address);
  if (!parts.ok()) return address;
  const auto& [host, port] = *parts;
  return (IsIpv6(host) ? "[" + host + "]" : host) + ":" + port;
}

}  // namespace jobd::cli
