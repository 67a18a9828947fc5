#include "daemon/service_dirs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/files.h"
#include "base/listener.h"
#include "daemon/trusted_path.h"
#include "launch/contract/frames.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

base::Status GiveTo(int fd, const std::string& path, const ServerAccount& account, mode_t mode) {
  if (account.uid && ::fchown(fd, *account.uid, account.gid) != 0)
    return base::SysError("giving " + path + " to " + account.name, errno);
  // Not ours to change when somebody else owns it; then using it will tell.
  if (::fchmod(fd, mode) != 0 && errno != EPERM) return base::SysError("setting the mode of " + path, errno);
  return base::Ok();
}

}  // namespace

base::Result<ServerAccount> FindServerAccount(const config::Config& config) {
  if (::geteuid() != 0) {
    return ServerAccount{sandbox::AccountName(::geteuid()), std::nullopt, 0};
  }
  auto account = sandbox::FindAccount(config.server_user);
  std::string name = config.server_user;
  if (!account.ok()) {
    name = "nobody";
    account = sandbox::FindAccount(name);
  }
  if (!account.ok()) return std::move(account).error().WithContext("server.user");
  if (account->uid == 0) return base::Error(base::Code::kInvalidArgument, "server.user: jobd-server must not run as root");
  return ServerAccount{name, account->uid, account->gid};
}

base::Result<ServiceDirs> PrepareDirs(const config::Config& config, const ServerAccount& account) {
  ServiceDirs dirs;
  JOBD_ASSIGN_OR_RETURN(dirs.state, MakeDirs(config.state_dir, 0700));
  JOBD_ASSIGN_OR_RETURN(dirs.lock, base::OpenAt(AT_FDCWD, config.state_dir, O_RDONLY | O_DIRECTORY));
  if (::flock(dirs.lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::SysError("locking the state directory " + config.state_dir, errno);
    return base::Error(base::Code::kFailedPrecondition, "the state directory " + config.state_dir +
                                                            " is in use by another jobd: stop that one, or give this one its own");
  }
  JOBD_RETURN_IF_ERROR(GiveTo(dirs.state.get(), config.state_dir, account, 0700));
  JOBD_ASSIGN_OR_RETURN(dirs.log, MakeDirs(config.log_dir, 0700));
  JOBD_RETURN_IF_ERROR(GiveTo(dirs.log.get(), config.log_dir, account, 0700));
  JOBD_ASSIGN_OR_RETURN(dirs.runtime, MakeDirs(config.runtime_dir, 0755));
  JOBD_RETURN_IF_ERROR(GiveTo(dirs.runtime.get(), config.runtime_dir, account, 0755));
  dirs.owner = {.switch_user = account.uid.has_value(), .uid = account.uid.value_or(0), .gid = account.gid};
  RemoveRuntimeFiles(dirs);
  const launch::ScopedFsCredentials acting(dirs.owner);
  JOBD_RETURN_IF_ERROR(base::ReplaceFile(dirs.runtime.get(), "pid", std::to_string(::getpid()) + "\n", 0644));
  return dirs;
}

base::Result<base::Fd> ListenForMetrics(const config::Config& config, const ServiceDirs& dirs) {
  constexpr std::string_view kUnix = "unix:";
  if (config.metrics_listen.empty()) return base::Fd();
  if (config.metrics_listen.starts_with(kUnix)) {
    const std::string path = config.metrics_listen.substr(kUnix.size());
    auto dir = base::OpenAt(AT_FDCWD, path.substr(0, path.rfind('/') + 1), O_PATH | O_DIRECTORY);
    if (!dir.ok()) return std::move(dir).error().WithContext("metrics.listen");
    // We walk there as ourselves, and do there only what the server's account may do.
    const launch::ScopedFsCredentials acting(dirs.owner);
    auto socket = base::ListenUnix(dir->get(), LastName(path), 0660);
    if (!socket.ok()) return std::move(socket).error().WithContext("metrics.listen");
    return socket;
  }
  auto listener = base::Listen(config.metrics_listen);
  if (!listener.ok()) return std::move(listener).error().WithContext("metrics.listen");
  return std::move(listener->sockets.front());
}

void RemoveRuntimeFiles(const ServiceDirs& dirs) {
  const launch::ScopedFsCredentials acting(dirs.owner);
  for (const char* name : {"address", "server.pid", "pid", launch::kServerSocketName}) ::unlinkat(dirs.runtime.get(), name, 0);
}

base::Status PrepareLogFile(const config::Config& config, const ServerAccount& account) {
  if (config.log_file.empty()) return base::Ok();
  // We append to it as root: nobody else may be able to put another file in its place.
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, OpenTrustedParent(config.log_file));
  JOBD_ASSIGN_OR_RETURN(const base::Fd file,
                        base::OpenAt(dir.get(), LastName(config.log_file), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
  if (account.uid && ::fchown(file.get(), *account.uid, account.gid) != 0)
    return base::SysError("giving away " + config.log_file, errno);
  return base::Ok();
}

base::Result<std::string> StateTag(const ServiceDirs& dirs) {
  struct stat info {};
  if (::fstat(dirs.state.get(), &info) != 0) return base::SysError("looking at the state directory", errno);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "jobd-%llx-%llx", static_cast<unsigned long long>(info.st_dev),
                static_cast<unsigned long long>(info.st_ino));
  return std::string(text.data());
}

}  // namespace jobd::daemon
