#include "daemon/configuration.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/files.h"
#include "daemon/trusted_path.h"

namespace jobd::daemon {

namespace {

constexpr size_t kMaxFile = 16u << 20;

base::Result<base::Fd> OpenFile(const std::string& what, const std::string& path, mode_t forbidden, const char* problem) {
  auto file = OpenTrustedFile(path);
  if (!file.ok()) return std::move(file).error().WithContext(what);
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return base::SysError(what + ": " + path, errno);
  if ((info.st_mode & forbidden) != 0) return base::Error(base::Code::kPermissionDenied, what + ": " + path + " " + problem);
  return file;
}

base::Result<std::string> ReadFrom(const base::Fd& file, const std::string& path) {
  auto text = base::ReadAll(file.get(), kMaxFile);
  if (!text.ok()) return std::move(text).error().WithContext(path);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return base::SysError(path, errno);
  return text;
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

base::Result<Configuration> OpenConfiguration(const Options& options) {
  Configuration all;
  const auto add = [&all](const char* name, base::Fd file) {
    all.names.emplace_back(name);
    all.fds.push_back(std::move(file));
  };
  JOBD_ASSIGN_OR_RETURN(base::Fd config_file, OpenFile("configuration", options.config_file, 0, ""));
  JOBD_ASSIGN_OR_RETURN(const std::string text, ReadFrom(config_file, options.config_file));
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig loaded, config::Load(options.config_file, text, OverridesOf(options)));
  all.config = std::move(loaded.config);
  add("config", std::move(config_file));
  JOBD_ASSIGN_OR_RETURN(base::Fd ca, OpenFile("tls.ca", all.config.tls_ca, 0, ""));
  add("ca", std::move(ca));
  JOBD_ASSIGN_OR_RETURN(base::Fd cert, OpenFile("tls.cert", all.config.tls_cert, 0, ""));
  add("cert", std::move(cert));
  JOBD_ASSIGN_OR_RETURN(base::Fd key, OpenFile("tls.key", all.config.tls_key, S_IRWXG | S_IRWXO,
                                               "may be used by others than its owner: chmod 600 it"));
  add("key", std::move(key));
  if (!all.config.tls_revoked.empty()) {
    JOBD_ASSIGN_OR_RETURN(base::Fd revoked, OpenFile("tls.revoked", all.config.tls_revoked, 0, ""));
    add("revoked", std::move(revoked));
  }
  // It decides whom jobs may run as, root included.
  JOBD_ASSIGN_OR_RETURN(base::Fd users,
                        OpenFile("users.file", all.config.users_file, S_IWOTH, "can be written by everybody: chmod o-w it"));
  JOBD_ASSIGN_OR_RETURN(const std::string users_text, ReadFrom(users, all.config.users_file));
  JOBD_ASSIGN_OR_RETURN(all.users, config::Users::Parse(all.config.users_file, users_text));
  add("users", std::move(users));
  if (!all.config.profiles_file.empty()) {
    // Only ours to read: the server knows profiles by name.
    const std::string& path = all.config.profiles_file;
    JOBD_ASSIGN_OR_RETURN(const base::Fd profiles, OpenFile("policy.profiles", path, S_IWGRP | S_IWOTH,
                                                            "can be written by others than its owner: chmod go-w it"));
    JOBD_ASSIGN_OR_RETURN(const std::string profiles_text, ReadFrom(profiles, path));
    JOBD_ASSIGN_OR_RETURN(all.profiles, sandbox::Profiles::Parse(path, profiles_text));
  }
  if (all.profiles.Find(all.config.default_profile) == nullptr) {
    return base::Error(base::Code::kInvalidArgument,
                       options.config_file + ": defaults.profile: there is no profile '" + all.config.default_profile + "'");
  }
  return all;
}

}  // namespace jobd::daemon
