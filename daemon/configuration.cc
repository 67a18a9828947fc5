#include "daemon/configuration.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/files.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/users_check.h"
#include "daemon/trusted_path.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

constexpr size_t kMaxFile = 16u << 20;

// `what` is the setting that names it.
base::Result<base::Fd> OpenFile(const std::string& what, const std::string& path) {
  auto file = OpenTrustedFile(path);
  if (!file.ok()) return std::move(file).error().WithContext(what);
  return file;
}

// Nobody but its owner may read it.
base::Status CheckSecret(const base::Fd& file, const std::string& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return base::SysError("tls.key: " + path, errno);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return base::Ok();
  return base::Error(base::Code::kPermissionDenied, "tls.key: " + path + " may be used by others than its owner: chmod 600 it");
}

base::Result<std::string> ReadFrom(const base::Fd& file, const std::string& path) {
  auto text = base::ReadAll(file.get(), kMaxFile);
  if (!text.ok()) return std::move(text).error().WithContext(path);
  return text;
}

// What somebody writes to the file from now on is seen neither by us nor by jobd-server: both know the same bytes. A memfd and not
// our memory, which shims share.
base::Result<base::Fd> Sealed(const char* name, const std::string& bytes) {
  base::Fd memfd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return base::SysError("keeping a file's content", errno);
  JOBD_RETURN_IF_ERROR(base::WriteAll(memfd.get(), bytes));
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0) return base::SysError("sealing a file's content", errno);
  return memfd;
}

std::vector<std::string> ProfileNames(const sandbox::Profiles& profiles) {
  std::vector<std::string> names;
  for (const sandbox::Profile& profile : profiles.all()) names.push_back(profile.name);
  return names;
}

bool IsGiven(const config::LoadedConfig& loaded, std::string_view key) {
  return std::ranges::any_of(loaded.settings,
                             [&](const auto& one) { return one.key == key && one.origin != config::Origin::kDefault; });
}

void AddWarnings(const Options& options, bool names_server_user, Configuration& all) {
  // Without privileges jobs run as we do, whoever is named.
  const auto has_account = [](const std::string& name) { return sandbox::FindAccount(name).ok(); };
  config::KnownNames known{.profiles = ProfileNames(all.profiles), .has_account = nullptr};
  if (::geteuid() == 0) known.has_account = has_account;
  for (std::string& warning : config::UnknownNames(all.config.users_file, all.users, known))
    all.warnings.push_back(std::move(warning));
  if (known.has_account && all.config.job_user != "auto" && !has_account(all.config.job_user)) {
    all.warnings.push_back(options.config_file + ": policy.job_user: there is no account '" +
                           base::EscapeForTerminal(all.config.job_user) + "': no job can run without one of its own");
  }
  // The one that it has where nobody names one need not be there.
  if (known.has_account && names_server_user && !has_account(all.config.server_user)) {
    all.warnings.push_back(options.config_file + ": server.user: there is no account '" +
                           base::EscapeForTerminal(all.config.server_user) + "': jobd-server runs as nobody");
  }
}

}  // namespace

config::Overrides OverridesOf(const Options& options) {
  config::Overrides overrides;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const size_t equals = text.find('=');
    if (text.starts_with("JOBD_") && equals != std::string_view::npos) {
      overrides.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  overrides.flags = options.set_flags;
  return overrides;
}

base::Result<config::Config> LoadConfig(const Options& options) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, OpenFile("configuration", options.config_file));
  JOBD_ASSIGN_OR_RETURN(const std::string text, ReadFrom(file, options.config_file));
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig loaded, config::Load(options.config_file, text, OverridesOf(options)));
  return std::move(loaded.config);
}

base::Result<Configuration> OpenConfiguration(const Options& options) {
  Configuration all;
  const auto add = [&all](const char* name, const std::string& bytes) -> base::Status {
    JOBD_ASSIGN_OR_RETURN(base::Fd kept, Sealed(name, bytes));
    all.names.emplace_back(name);
    all.fds.push_back(std::move(kept));
    return base::Ok();
  };
  JOBD_ASSIGN_OR_RETURN(const base::Fd config_file, OpenFile("configuration", options.config_file));
  JOBD_ASSIGN_OR_RETURN(const std::string text, ReadFrom(config_file, options.config_file));
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig loaded, config::Load(options.config_file, text, OverridesOf(options)));
  const bool names_server_user = IsGiven(loaded, "server.user");
  all.config = std::move(loaded.config);
  all.warnings = std::move(loaded.warnings);
  JOBD_RETURN_IF_ERROR(add("config", text));
  for (const TrustedFile& one : kTrustedFiles) {
    const std::string& path = all.config.*one.path;
    if (path.empty()) continue;
    JOBD_ASSIGN_OR_RETURN(const base::Fd file, OpenFile(one.setting, path));
    const bool secret = one.path == &config::Config::tls_key;
    if (secret) JOBD_RETURN_IF_ERROR(CheckSecret(file, path));
    JOBD_ASSIGN_OR_RETURN(std::string bytes, ReadFrom(file, path));
    const base::Status added = one.given_as != nullptr ? add(one.given_as, bytes) : base::Ok();
    if (secret) ::explicit_bzero(bytes.data(), bytes.size());
    JOBD_RETURN_IF_ERROR(added);
    if (one.path == &config::Config::users_file) {
      // It decides whom jobs may run as, root included.
      JOBD_ASSIGN_OR_RETURN(all.users, config::Users::Parse(path, bytes));
    } else if (one.path == &config::Config::profiles_file) {
      JOBD_ASSIGN_OR_RETURN(all.profiles, sandbox::Profiles::Parse(path, bytes));
    }
  }
  if (all.profiles.Find(all.config.default_profile) == nullptr) {
    return base::Error(base::Code::kInvalidArgument, options.config_file + ": defaults.profile: there is no profile '" +
                                                         base::EscapeForTerminal(all.config.default_profile) + "'" +
                                                         base::DidYouMean(all.config.default_profile, ProfileNames(all.profiles)));
  }
  AddWarnings(options, names_server_user, all);
  if (!all.warnings.empty()) {
    std::string lines;
    for (const std::string& warning : all.warnings) lines += warning + "\n";
    JOBD_RETURN_IF_ERROR(add("warnings", lines));
  }
  return all;
}

}  // namespace jobd::daemon
