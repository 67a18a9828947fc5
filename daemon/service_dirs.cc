#include "daemon/service_dirs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/clock.h"
#include "base/files.h"
#include "base/listener.h"
#include "base/uuid7.h"
#include "daemon/service_folder.h"
#include "daemon/trusted_path.h"
#include "launch/contract/frames.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

base::Status GiveTo(int fd, const std::string& path, const ServerAccount& account, mode_t mode) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return base::SysError("looking at " + path, errno);
  // A disk that takes no changes is none to stop for where none are needed.
  const bool owned = !account.uid || (info.st_uid == *account.uid && info.st_gid == account.gid);
  if (!owned && ::fchown(fd, *account.uid, account.gid) != 0)
    return base::SysError("giving " + path + " to " + account.name, errno);
  if ((!owned || (info.st_mode & 07777) != mode) && ::fchmod(fd, mode) != 0)
    return base::SysError("setting the mode of " + path, errno);
  return base::Ok();
}

// Whoever was killed a moment ago may have left a child that has not executed its program yet, and shares the lock until then: a
// second is waited for it. Woken by the lock or by a signal, which comes again and again, so that none comes too early. To be
// called in a process with one thread. 0, or errno; EWOULDBLOCK: it is taken.
int LockWithin(int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
  if (errno != EWOULDBLOCK) return errno;
  struct sigaction wake {};
  struct sigaction before {};
  wake.sa_handler = [](int) {};  // without SA_RESTART
  ::sigaction(SIGALRM, &wake, &before);
  sigset_t alarm;
  sigset_t mask;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &alarm, &mask);
  const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 100'000}, .it_value = {.tv_sec = 0, .tv_usec = 100'000}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  int error = 0;
  do {
    error = ::flock(fd, LOCK_EX) == 0 ? 0 : errno;
  } while (error == EINTR && std::chrono::steady_clock::now() < until);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  return error == EINTR ? EWOULDBLOCK : error;
}

base::Result<base::Fd> LockDir(int dir, const FolderClaim& claim) {
  // A description of its own: the other one is passed on, and a lock ends with the last of those that share it.
  JOBD_ASSIGN_OR_RETURN(base::Fd lock, base::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  if (const int error = LockWithin(lock.get()); error == 0) {
    return lock;
  } else if (error != EWOULDBLOCK) {
    return base::SysError("locking " + claim.path, error);
  }
  return base::Error(base::Code::kFailedPrecondition, "the " + std::string(RoleName(claim.role)) + " directory " + claim.path +
                                                          " is in use by another jobd: stop that one, or give this one its own");
}

// By what they are, or, of those that are still to be made, by their paths.
bool AreOneFolder(const FolderClaim& one_claim, const base::Fd& one_dir, const FolderClaim& other_claim,
                  const base::Fd& other_dir) {
  struct stat one {};
  struct stat other {};
  if (one_dir && other_dir && ::fstat(one_dir.get(), &one) == 0 && ::fstat(other_dir.get(), &other) == 0) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
  }
  std::error_code error;
  return std::filesystem::weakly_canonical(one_claim.path, error) == std::filesystem::weakly_canonical(other_claim.path, error);
}

// One folder cannot be two: each would find the other's files in it.
base::Status CheckDistinct(const std::vector<FolderClaim>& claims, const std::vector<const base::Fd*>& dirs) {
  for (size_t i = 0; i < dirs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!AreOneFolder(claims[i], *dirs[i], claims[j], *dirs[j])) continue;
      return base::Error(base::Code::kInvalidArgument, "server." + std::string(RoleName(claims[j].role)) + "_dir and server." +
                                                           RoleName(claims[i].role) + "_dir are one folder, " + claims[i].path +
                                                           ": give each its own");
    }
  }
  return base::Ok();
}

// A socket that its owner has left may be replaced, one that is in use not.
bool IsListenedTo(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return false;
  path.copy(address.sun_path, path.size());
  const base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  // EPROTOTYPE: of another kind.
  return errno == EAGAIN || errno == EPROTOTYPE || errno == EACCES;
}

// Of the state folder; of a new one when it has none.
base::Result<FolderMark> MarkOf(int state_dir, const FolderClaim& claim) {
  JOBD_ASSIGN_OR_RETURN(FolderMark mark, ReadMark(state_dir, claim));
  if (mark.instance.empty()) mark.instance = base::MakeUuid7(base::SystemClock().Realtime());
  mark.state_path = claim.path;
  return mark;
}

// As the formats of logging.cc begin, and no other program's log does.
bool IsLineOfJobd(std::string_view text) {
  constexpr std::string_view kJson = R"({"time":")";
  const bool json = text.starts_with(kJson);
  if (json) text.remove_prefix(kJson.size());
  constexpr std::string_view kTime = "dddd-dd-ddTdd:dd:dd.dddZ";
  if (text.size() < kTime.size()) return false;
  for (size_t i = 0; i < kTime.size(); ++i) {
    if (kTime[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kTime[i]) return false;
  }
  text.remove_prefix(kTime.size());
  for (const std::string_view program : {"jobd", "jobd-server"}) {
    const std::string named = json ? R"(","program":")" + std::string(program) + "\"," : " " + std::string(program) + " ";
    if (text.starts_with(named)) return true;
  }
  return false;
}

// A disk that takes nothing at the moment keeps no service away: the next start marks it.
base::Status MarkIfPossible(int dir, const FolderClaim& claim, const FolderMark& mark) {
  auto marked = MarkFolder(dir, claim, mark);
  if (marked.ok() || marked.error().code() == base::Code::kResourceExhausted || marked.error().sys_errno() == EROFS)
    return base::Ok();
  return marked;
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

base::Status CheckDirs(const config::Config& config, const ServerAccount& account) {
  const std::vector<FolderClaim> claims = ClaimsOf(config);
  std::vector<base::Fd> dirs(claims.size());
  for (size_t i = 0; i < claims.size(); ++i) {
    auto dir = OpenDirs(claims[i].path);
    if (!dir.ok() && dir.error().code() != base::Code::kNotFound) return std::move(dir).error();
    if (dir.ok()) dirs[i] = *std::move(dir);
  }
  JOBD_RETURN_IF_ERROR(CheckDistinct(claims, {&dirs[0], &dirs[1], &dirs[2]}));
  FolderMark mark{.instance = "none yet", .state_path = claims[0].path};
  if (dirs[0]) {
    JOBD_ASSIGN_OR_RETURN(mark, MarkOf(dirs[0].get(), claims[0]));
  }
  for (size_t i = 0; i < claims.size(); ++i) {
    if (dirs[i]) JOBD_RETURN_IF_ERROR(JudgeFolder(dirs[i].get(), claims[i], account, mark));
  }
  return base::Ok();
}

base::Result<ServiceDirs> PrepareDirs(const config::Config& config, const ServerAccount& account) {
  // Before any is made, and again when they are locked.
  JOBD_RETURN_IF_ERROR(CheckDirs(config, account));
  ServiceDirs dirs;
  const std::vector<FolderClaim> claims = ClaimsOf(config);
  const std::vector<base::Fd*> all{&dirs.state, &dirs.log, &dirs.runtime};
  const std::vector<mode_t> modes{0700, 0700, 0755};
  for (size_t i = 0; i < all.size(); ++i) {
    JOBD_ASSIGN_OR_RETURN(*all[i], MakeDirs(claims[i].path, modes[i]));
    JOBD_RETURN_IF_ERROR(CheckDistinct(claims, {all.begin(), all.end()}));
    JOBD_ASSIGN_OR_RETURN(base::Fd lock, LockDir(all[i]->get(), claims[i]));
    dirs.locks.push_back(std::move(lock));
  }
  JOBD_ASSIGN_OR_RETURN(const FolderMark mark, MarkOf(dirs.state.get(), claims[0]));
  for (size_t i = 0; i < all.size(); ++i) JOBD_RETURN_IF_ERROR(JudgeFolder(all[i]->get(), claims[i], account, mark));
  for (size_t i = 0; i < all.size(); ++i) {
    JOBD_RETURN_IF_ERROR(GiveTo(all[i]->get(), claims[i].path, account, modes[i]));
    JOBD_RETURN_IF_ERROR(MarkIfPossible(all[i]->get(), claims[i], mark));
  }
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
    if (IsListenedTo(path)) {
      return base::Error(base::Code::kFailedPrecondition, "metrics.listen: somebody listens at " + path + " already");
    }
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

base::Status CheckLogFile(const config::Config& config, const ServerAccount& account) {
  if (config.log_file.empty()) return base::Ok();
  const std::string setting = "log.file: " + config.log_file;
  auto dir = OpenTrustedParent(config.log_file);
  if (!dir.ok()) return std::move(dir).error().WithContext("log.file");
  const std::string name = LastName(config.log_file);
  struct stat info {};
  if (::fstatat(dir->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return base::SysError(setting, errno);
    if (::faccessat(dir->get(), ".", W_OK | X_OK, AT_EACCESS) == 0) return base::Ok();
    return base::SysError("log.file: making " + config.log_file, errno);
  }
  if (!S_ISREG(info.st_mode)) return base::Error(base::Code::kInvalidArgument, setting + " is not a file");
  const auto file = base::OpenAt(dir->get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file.ok()) return base::Error(file.error()).WithContext("log.file");
  if (::fstat(file->get(), &info) != 0) return base::SysError("looking at " + config.log_file, errno);
  const auto refused = [&setting](const std::string& why) {
    return base::Error(base::Code::kFailedPrecondition, setting + " " + why + ": name a file of its own");
  };
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) return refused("is not a file, or has other names too");
  if (::faccessat(dir->get(), name.c_str(), W_OK, AT_EACCESS) != 0)
    return base::SysError("log.file: writing to " + config.log_file, errno);
  if (account.uid && info.st_uid == *account.uid) return base::Ok();
  if (info.st_uid != ::geteuid()) return refused("belongs to " + sandbox::AccountName(info.st_uid));
  std::array<std::byte, 128> begin{};
  const auto size = base::PreadUpTo(file->get(), begin, 0);
  if (!size.ok()) return base::Error(size.error()).WithContext("log.file");
  if (*size == 0 || IsLineOfJobd({reinterpret_cast<const char*>(begin.data()), *size})) return base::Ok();
  return refused("holds something else than the log of a jobd");
}

base::Status PrepareLogFile(const config::Config& config, const ServerAccount& account) {
  if (config.log_file.empty()) return base::Ok();
  JOBD_RETURN_IF_ERROR(CheckLogFile(config, account));
  // We append to it as root: nobody else may be able to put another file in its place.
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, OpenTrustedParent(config.log_file));
  JOBD_ASSIGN_OR_RETURN(const base::Fd file,
                        base::OpenAt(dir.get(), LastName(config.log_file), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
  if (account.uid && ::fchown(file.get(), *account.uid, account.gid) != 0)
    return base::SysError("giving away " + config.log_file, errno);
  return base::Ok();
}

base::Result<std::string> StateTag(int state_dir) {
  struct stat info {};
  if (::fstat(state_dir, &info) != 0) return base::SysError("looking at the state directory", errno);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "jobd-%llx-%llx", static_cast<unsigned long long>(info.st_dev),
                static_cast<unsigned long long>(info.st_ino));
  return std::string(text.data());
}

}  // namespace jobd::daemon
