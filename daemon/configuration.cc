#include "daemon/configuration.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/files.h"
#include "daemon/trusted_path.h"

namespace jobd::daemon {

namespace {

constexpr size_t kMaxFile = 16u << 20;

// `what` is the setting that names it.
base::Result<base::Fd> OpenFile(const std::string& what, const std::string& path) {
  auto file = OpenTrustedFile(path);
  if (!file.ok()) return std::move(file).error().WithContext(what);
  return file;
}

base::Result<base::Fd> OpenKey(const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, OpenFile("tls.key", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return base::SysError("tls.key: " + path, errno);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return base::Error(base::Code::kPermissionDenied, "tls.key: " + path + " may be used by others than its owner: chmod 600 it");
  }
  return file;
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
  const auto read_and_add = [&add](const char* name, const base::Fd& file, const std::string& path) -> base::Status {
    JOBD_ASSIGN_OR_RETURN(std::string bytes, ReadFrom(file, path));
    const base::Status added = add(name, bytes);
    ::explicit_bzero(bytes.data(), bytes.size());  // one of them is the private key
    return added;
  };
  JOBD_ASSIGN_OR_RETURN(const base::Fd config_file, OpenFile("configuration", options.config_file));
  JOBD_ASSIGN_OR_RETURN(const std::string text, ReadFrom(config_file, options.config_file));
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig loaded, config::Load(options.config_file, text, OverridesOf(options)));
  all.config = std::move(loaded.config);
  JOBD_RETURN_IF_ERROR(add("config", text));
  JOBD_ASSIGN_OR_RETURN(const base::Fd ca, OpenFile("tls.ca", all.config.tls_ca));
  JOBD_RETURN_IF_ERROR(read_and_add("ca", ca, all.config.tls_ca));
  JOBD_ASSIGN_OR_RETURN(const base::Fd cert, OpenFile("tls.cert", all.config.tls_cert));
  JOBD_RETURN_IF_ERROR(read_and_add("cert", cert, all.config.tls_cert));
  JOBD_ASSIGN_OR_RETURN(const base::Fd key, OpenKey(all.config.tls_key));
  JOBD_RETURN_IF_ERROR(read_and_add("key", key, all.config.tls_key));
  if (!all.config.tls_revoked.empty()) {
    JOBD_ASSIGN_OR_RETURN(const base::Fd revoked, OpenFile("tls.revoked", all.config.tls_revoked));
    JOBD_RETURN_IF_ERROR(read_and_add("revoked", revoked, all.config.tls_revoked));
  }
  // It decides whom jobs may run as, root included.
  JOBD_ASSIGN_OR_RETURN(const base::Fd users, OpenFile("users.file", all.config.users_file));
  JOBD_ASSIGN_OR_RETURN(const std::string users_text, ReadFrom(users, all.config.users_file));
  JOBD_ASSIGN_OR_RETURN(all.users, config::Users::Parse(all.config.users_file, users_text));
  JOBD_RETURN_IF_ERROR(add("users", users_text));
  if (!all.config.profiles_file.empty()) {
    // Only ours to read: the server knows profiles by name.
    const std::string& path = all.config.profiles_file;
    JOBD_ASSIGN_OR_RETURN(const base::Fd profiles, OpenFile("policy.profiles", path));
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
