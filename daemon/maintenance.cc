#include "daemon/maintenance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.h"
#include "daemon/job_uids.h"
#include "daemon/server_keeper.h"
#include "daemon/trusted_path.h"
#include "launch/contract/frames.h"
#include "launch/launcher/job_accounts.h"
#include "launch/launcher/owner_uids.h"
#include "launch/server/server_process.h"

namespace jobd::daemon {

namespace {

base::Error Failed(std::string text) { return {base::Code::kFailedPrecondition, std::move(text)}; }

// What a task works on, by the names that jobd-server knows.
struct Descriptors {
  std::vector<std::string> names;
  std::vector<base::Fd> fds;
  void Add(const char* name, base::Fd fd) {
    names.emplace_back(name);
    fds.push_back(std::move(fd));
  }
};

base::Result<base::Fd> OpenDir(const std::string& path) { return base::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY); }

// Beside a jobd that runs: nothing of its directories is touched.
base::Result<Descriptors> ForBackup(const config::Config& config, const ServerAccount& account, const std::string& target) {
  Descriptors all;
  JOBD_ASSIGN_OR_RETURN(base::Fd state, OpenDir(config.state_dir));
  all.Add("state", std::move(state));
  const std::string path = std::filesystem::absolute(target);
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, MakeDirs(path, 0700));
  struct stat about {};
  // Before it is given away: it might be any folder of the machine.
  std::error_code error;
  if (!std::filesystem::is_empty("/proc/self/fd/" + std::to_string(dir.get()), error) || error) {
    struct stat mark {};
    const bool is_backup = ::fstatat(dir.get(), "backup", &mark, AT_SYMLINK_NOFOLLOW) == 0;
    return Failed(target + (is_backup ? " is not empty, it holds a backup: name another folder, or delete this one before"
                                      : " is not empty: a backup needs a folder of its own"));
  }
  if (::fstat(dir.get(), &about) != 0 || (about.st_uid != 0 && about.st_uid != ::geteuid())) {
    return Failed(target + " belongs to somebody else, who could change what is put there: name a folder that jobd makes itself");
  }
  if (account.uid && ::fchown(dir.get(), *account.uid, account.gid) != 0) {
    return base::SysError("giving " + target + " to " + account.name, errno);
  }
  if (::fchmod(dir.get(), 0700) != 0) return base::SysError("closing " + target + " to others", errno);
  all.Add("backup", std::move(dir));
  return all;
}

// Opened by us: the backup may have come back from where only root can read it.
base::Result<base::Fd> OpenPart(const std::string& dir, const char* name) {
  auto file = base::OpenAt(AT_FDCWD, dir + "/" + name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok()) return std::move(file).error().WithContext(dir + " is not a backup, or not a whole one");
  struct stat about {};
  if (::fstat(file->get(), &about) != 0 || !S_ISREG(about.st_mode)) return Failed(dir + "/" + name + " is not a file");
  return file;
}

// The map of uids goes with the database: whoever takes that elsewhere takes files of jobs along. What is copied is what a start
// would take for the map, whoever owns the directory.
base::Status SaveUids(const config::Config& config, const ServerAccount& account, const std::string& target) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd state, OpenDir(config.state_dir));
  JOBD_ASSIGN_OR_RETURN(const base::Fd log, OpenDir(config.log_dir));
  JOBD_ASSIGN_OR_RETURN(const auto uids, OpenJobUids(config, account, state.get(), log.get()));
  if (!uids.found()) return base::Ok();
  const std::string path = target + "/" + launch::kUidsFile;
  JOBD_ASSIGN_OR_RETURN(const base::Fd copy, base::OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  JOBD_RETURN_IF_ERROR(base::WriteAll(copy.get(), uids.Text()));
  return ::fsync(copy.get()) == 0 ? base::Ok() : base::Status(base::SysError("writing " + path, errno));
}

// The map with what the backup's says beside it, which is to be saved when the backup is in its place; absent when it has none.
base::Result<std::optional<launch::OwnerUids>> MergedUids(const config::Config& config, const std::string& from,
                                                          const ServiceDirs& dirs) {
  const std::string path = from + "/" + launch::kUidsFile;
  const auto file = base::OpenAt(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok() && file.error().code() == base::Code::kNotFound) return std::optional<launch::OwnerUids>();
  if (!file.ok()) return file.error();
  struct stat about {};
  if (::fstat(file->get(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_uid != ::geteuid()) {
    return Failed(path +
                  " is not root's own, so it may say what somebody else wants: chown it to root if you know where it comes from");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(file->get(), 64u << 20));
  JOBD_ASSIGN_OR_RETURN(auto uids, launch::OwnerUids::Open(dirs.state.get(), config.job_uid_first, config.job_uid_count,
                                                           dirs.log.get(), launch::OwnerUids::Damage::kSalvage));
  auto merged = uids.Merge(text);
  if (!merged.ok()) return std::move(merged).error().WithContext(path);
  return std::optional(std::move(uids));
}

// What jobd-server is to do, with these descriptors: its exit code.
base::Result<int> RunTask(std::vector<std::string> arguments, launch::HelloAck ack, const std::vector<base::Fd>& given,
                          const ServerAccount& account) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return base::SysError("making a socket pair", errno);
  const base::Fd ours(ends[0]);
  const base::Fd theirs(ends[1]);
  std::vector<int> fds;
  for (const base::Fd& fd : given) fds.push_back(fd.get());
  // It waits there until the server takes it.
  JOBD_RETURN_IF_ERROR(launch::SendFrame(ours.get(), std::move(ack), fds));
  launch::ServerPlan plan;
  plan.program = ServerProgram();
  plan.arguments = std::move(arguments);
  plan.socket = theirs.get();
  if (account.uid) {
    plan.uid = account.uid;
    plan.gid = account.gid;
  }
  boost::asio::io_context context(1);
  int code = 1;
  auto server = launch::ServerProcess::Start(
      context, plan, [&code](std::optional<base::ExitStatus> status) { code = status ? status->ShellCode() : 1; });
  if (!server.ok()) return std::move(server).error();
  context.run();
  return code;
}

}  // namespace

base::Result<int> RunServerCheck(const Options& options, const Configuration& configuration, const ServerAccount& account) {
  JOBD_RETURN_IF_ERROR(CheckTrustedPrograms(launch::UidsInPolicy(PolicyOf(configuration, account))));
  std::vector<base::Fd> again;
  for (const base::Fd& file : configuration.fds) {
    // A duplicate would share its position, which is at the end of what was written.
    JOBD_ASSIGN_OR_RETURN(base::Fd opened, base::OpenAt(AT_FDCWD, "/proc/self/fd/" + std::to_string(file.get()), O_RDONLY));
    again.push_back(std::move(opened));
  }
  return RunTask({"--task", "check"},
                 {.config_name = options.config_file,
                  .environment = OverridesOf(options).environment,
                  .set_flags = options.set_flags,
                  .descriptors = configuration.names},
                 again, account);
}

base::Result<int> RunMaintenance(const Options& options, const Configuration& configuration, const ServerAccount& account) {
  // Before anything is made for them.
  JOBD_RETURN_IF_ERROR(CheckTrustedPrograms(launch::UidsInPolicy(PolicyOf(configuration, account))));
  const config::Config& config = configuration.config;
  const bool backup = options.maintenance == "backup";
  Descriptors given;
  std::optional<ServiceDirs> dirs;        // locked while we are at it
  std::optional<launch::OwnerUids> uids;  // to be saved
  if (backup) {
    JOBD_ASSIGN_OR_RETURN(given, ForBackup(config, account, options.maintenance_dir));
  } else {
    if (options.maintenance == "restore") {
      JOBD_ASSIGN_OR_RETURN(base::Fd database, OpenPart(options.maintenance_dir, "jobd.db"));
      JOBD_ASSIGN_OR_RETURN(base::Fd mark, OpenPart(options.maintenance_dir, "backup"));
      given.Add("database", std::move(database));
      given.Add("mark", std::move(mark));
    }
    JOBD_ASSIGN_OR_RETURN(dirs, PrepareDirs(config, account));
    if (options.maintenance == "restore" && account.uid) {
      JOBD_ASSIGN_OR_RETURN(uids, MergedUids(config, options.maintenance_dir, *dirs));
    }
    given.Add("state", base::Fd(::fcntl(dirs->state.get(), F_DUPFD_CLOEXEC, 3)));
    given.Add("log", base::Fd(::fcntl(dirs->log.get(), F_DUPFD_CLOEXEC, 3)));
  }
  std::vector<std::string> arguments{"--task", options.maintenance};
  if (options.replace) arguments.emplace_back("--replace");
  auto code = RunTask(std::move(arguments), {.descriptors = given.names}, given.fds, account);
  if (dirs) RemoveRuntimeFiles(*dirs);
  if (uids && code.ok() && *code == 0) {
    // Not before: what is no backup says nothing of who owns what.
    auto saved = uids->Save();
    if (!saved.ok()) {
      return std::move(saved).error().WithContext(
          "the database is restored, but not who owns which files: do not start jobd before " +
          std::string("this restore, with --replace, has succeeded"));
    }
  }
  if (backup && code.ok() && *code == 0 && account.uid) JOBD_RETURN_IF_ERROR(SaveUids(config, account, options.maintenance_dir));
  return code;
}

}  // namespace jobd::daemon
