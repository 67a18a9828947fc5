#include "config/config.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/listener.h"
#include "base/sha256.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/setting.h"
#include "config/toml_text.h"

namespace jobd::config {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

const Setting* Find(std::string_view key) {
  for (const Setting& setting : Settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (const Setting& setting : Settings()) keys.emplace_back(setting.key);
  return keys;
}

// Variables that begin like settings and are of something else: what jobs are given, one of which may have started us, and what
// makes certificates and tests.
bool IsAnothers(std::string_view variable) {
  for (const std::string_view name : {"JOBD_JOB_ID", "JOBD_BATCH_ID", "JOBD_INDEX", "JOBD_ATTEMPT", "JOBD_GROUP", "JOBD_ADDRESS"}) {
    if (variable == name) return true;
  }
  return variable.starts_with("JOBD_TEST_");
}

std::vector<std::string> UnknownVariables(const Overrides& overrides) {
  std::vector<std::string> names;
  for (const Setting& setting : Settings()) names.push_back(EnvironmentName(setting.key));
  std::vector<std::string> warnings;
  for (const auto& [variable, value] : overrides.environment) {
    if (!variable.starts_with("JOBD_") || IsAnothers(variable)) continue;
    if (std::ranges::find(names, variable) != names.end()) continue;
    warnings.push_back("the environment's " + base::EscapeForTerminal(variable) + " is no setting, and has no effect" +
                       base::DidYouMean(variable, names));
  }
  return warnings;
}

// Where each setting's value came from, so far.
using Origins = std::map<std::string_view, Origin>;

Status ApplyFile(const std::string& file, std::string_view text, Config& config, Origins& origins) {
  JOBD_ASSIGN_OR_RETURN(const toml::table root, ParseToml(file, text));
  for (const auto& [section, node] : root) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return ErrorAt(file, node, "'" + std::string(section.str()) + "' must stand in a [section]");
    for (const auto& [name, value] : *table) {
      const std::string key = std::string(section.str()) + "." + std::string(name.str());
      const Setting* setting = Find(key);
      if (setting == nullptr)
        return ErrorAt(file, value, "unknown setting '" + base::EscapeForTerminal(key) + "'" + base::DidYouMean(key, Keys()));
      std::optional<std::string> plain = ScalarText(value);
      if (const toml::table* variables = value.as_table(); variables != nullptr && setting->is_table) {
        auto listed = VariablesOf(*variables);
        if (!listed.ok()) return ErrorAt(file, value, key + ": " + listed.error().message());
        plain = VariablesText(*listed);
      } else if (setting->is_table) {
        return ErrorAt(file, value, key + " must be a table, as in { NAME = \"value\" }");
      }
      if (!plain) return ErrorAt(file, value, key + " must be a text or a number");
      if (Status status = setting->read(config, *plain); !status.ok()) {
        return ErrorAt(file, value, key + ": " + status.error().message());
      }
      origins[setting->key] = Origin::kFile;
    }
  }
  return base::Ok();
}

Status ApplyOverride(const Setting& setting, std::string_view source, std::string_view value, Config& config) {
  if (Status status = setting.read(config, value); !status.ok()) return std::move(status).error().WithContext(source);
  return base::Ok();
}

Status ApplyOverrides(const Overrides& overrides, Config& config, Origins& origins) {
  for (const Setting& setting : Settings()) {
    const std::string name = EnvironmentName(setting.key);
    for (const auto& [variable, value] : overrides.environment) {
      if (variable != name) continue;
      JOBD_RETURN_IF_ERROR(ApplyOverride(setting, variable, value, config));
      origins[setting.key] = Origin::kEnvironment;
    }
  }
  for (const std::string& flag : overrides.flags) {
    const size_t equals = flag.find('=');
    const std::string key = flag.substr(0, equals);
    const Setting* setting = equals == std::string::npos ? nullptr : Find(key);
    if (setting == nullptr) {
      return Error(Code::kInvalidArgument, "--set " + base::EscapeForTerminal(flag) +
                                               ": expected section.key=value of a known setting" +
                                               (equals == std::string::npos ? "" : base::DidYouMean(key, Keys())));
    }
    JOBD_RETURN_IF_ERROR(ApplyOverride(*setting, "--set " + key, std::string_view(flag).substr(equals + 1), config));
    origins[setting->key] = Origin::kFlag;
  }
  return base::Ok();
}

void ResolvePaths(const std::string& file, Config& config) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return;
  for (const Setting& setting : Settings()) {
    if (setting.path == nullptr) continue;
    std::string& path = config.*setting.path;
    if (!path.empty() && path[0] != '/') path.insert(0, file.substr(0, slash + 1));
  }
}

// What a configuration cannot do without, and what does not go together.
Status CheckWhole(const std::string& file, const Config& config) {
  const std::string& client_ca = config.tls_client_ca.empty() ? config.tls_ca : config.tls_client_ca;
  const std::array<std::pair<const char*, const std::string*>, 4> required{
      {{"tls.ca", &client_ca}, {"tls.cert", &config.tls_cert}, {"tls.key", &config.tls_key}, {"users.file", &config.users_file}}};
  for (const auto& [key, value] : required) {
    if (value->empty()) return Error(Code::kInvalidArgument, file + ": " + key + " is missing");
  }
  if (const Status address = base::CheckListenAddress(config.listen); !address.ok()) {
    return Error(Code::kInvalidArgument, file + ": server.listen must be host:port, as in 127.0.0.1:7443, and not '" +
                                             base::EscapeForTerminal(config.listen) + "': a host in numbers, or localhost");
  }
  const bool to_path = config.metrics_listen.starts_with("unix:/");
  if (!config.metrics_listen.empty() && !to_path && !base::IsLoopback(config.metrics_listen)) {
    return Error(Code::kInvalidArgument,
                 file + ": metrics.listen must be 127.0.0.1:PORT, [::1]:PORT or unix:/PATH: metrics are for this machine alone");
  }
  if (config.default_workdir.empty() || config.default_workdir[0] != '/') {
    return Error(Code::kInvalidArgument, file + ": defaults.workdir must be an absolute path");
  }
  if (config.job_user == "root") {
    return Error(Code::kInvalidArgument,
                 file +
                     ": policy.job_user must not be root: jobs run as root only where a user's entry in the "
                     "users file names it (run_as)");
  }
  if (uint64_t{config.job_uid_first} + config.job_uid_count > 0xffff'fffeull) {
    return Error(Code::kInvalidArgument, file + ": policy.job_uid_first and job_uid_count reach beyond the last uid");
  }
  return base::Ok();
}

}  // namespace

std::string RevisionOf(const std::vector<SettingValue>& settings) {
  std::string all;
  for (const SettingValue& setting : settings) all += setting.key + "=" + setting.value + "\n";
  return base::Hex(base::Sha256Of(all));
}

Result<LoadedConfig> Load(const std::string& file_name, std::string_view text, const Overrides& overrides) {
  LoadedConfig loaded;
  Origins origins;
  JOBD_RETURN_IF_ERROR(ApplyFile(file_name, text, loaded.config, origins));
  JOBD_RETURN_IF_ERROR(ApplyOverrides(overrides, loaded.config, origins));
  JOBD_RETURN_IF_ERROR(CheckWhole(file_name, loaded.config));
  ResolvePaths(file_name, loaded.config);
  for (const Setting& setting : Settings()) {
    const auto origin = origins.find(setting.key);
    loaded.settings.push_back({std::string(setting.key), setting.show(loaded.config),
                               origin == origins.end() ? Origin::kDefault : origin->second, setting.reloadable,
                               std::string(setting.help)});
  }
  loaded.revision = RevisionOf(loaded.settings);
  loaded.warnings = UnknownVariables(overrides);
  return loaded;
}

}  // namespace jobd::config
