#include "daemon/start_checks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/files.h"
#include "base/listener.h"
#include "daemon/server_keeper.h"
#include "daemon/trusted_path.h"
#include "launch/launcher/job_accounts.h"

namespace jobd::daemon {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Status;

// No job may run as jobd-server.
Status CheckAccounts(const StartContext& context) {
  return launch::CheckJobAccounts(PolicyOf(context.configuration, context.account));
}

// The program that jobd starts lies beside it, and nobody else decides what either of them is.
Status CheckPrograms(const StartContext& context) {
  JOBD_RETURN_IF_ERROR(CheckTrustedPrograms(launch::UidsInPolicy(PolicyOf(context.configuration, context.account))));
  if (context.options.external_server || ::access(ServerProgram().c_str(), X_OK) == 0) return base::Ok();
  return base::SysError("running " + ServerProgram(), errno);
}

// Tried, as no right says it of root: nothing can be made in /proc.
int CanMakeFolderIn(const fs::path& folder) {
  const std::string name = folder.string() + "/.jobd-check-" + std::to_string(::getpid());
  if (::mkdir(name.c_str(), 0700) != 0) return errno;
  ::rmdir(name.c_str());
  return 0;
}

// A folder that is there can be used, and one that is not can be made.
Status CheckFolder(const std::string& setting, const std::string& path) {
  const auto wrong = [&](const std::string& where, int error) {
    return base::SysError(where == path ? "using the folder" : "making it in " + where, error).WithContext(setting + ": " + path);
  };
  std::error_code error;
  const fs::path whole = fs::absolute(path, error).lexically_normal();
  for (fs::path there = whole;; there = there.parent_path()) {
    const auto status = fs::status(there, error);
    if (!fs::exists(status) && there != there.root_path()) {
      if (error && error != std::errc::no_such_file_or_directory) return wrong(there.string(), error.value());
      continue;
    }
    if (!fs::is_directory(status)) return wrong(there.string(), ENOTDIR);
    const int refused = there != whole ? CanMakeFolderIn(there) : ::access(there.c_str(), R_OK | W_OK | X_OK) == 0 ? 0 : errno;
    // A disk that takes nothing at the moment keeps no service away.
    return refused == 0 || (there == whole && refused == EROFS) ? base::Ok()
                                                                : Status(wrong(there == whole ? path : there.string(), refused));
  }
}

Status CheckFolders(const StartContext& context) {
  const config::Config& config = context.configuration.config;
  JOBD_RETURN_IF_ERROR(CheckDirs(config, context.account));
  JOBD_RETURN_IF_ERROR(CheckFolder("server.state_dir", config.state_dir));
  JOBD_RETURN_IF_ERROR(CheckFolder("server.log_dir", config.log_dir));
  return CheckFolder("server.runtime_dir", config.runtime_dir);
}

Status CheckLog(const StartContext& context) { return CheckLogFile(context.configuration.config, context.account); }

// A jobd that has this state directory has its addresses too, and is the one whose configuration is looked at.
bool IsRunning(const config::Config& config) {
  const auto dir = base::OpenAt(AT_FDCWD, config.state_dir, O_RDONLY | O_DIRECTORY);
  return dir.ok() && ::flock(dir->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Status CheckBinding(const StartContext& context, const char* setting, const std::string& where) {
  auto listener = base::Listen(where);
  if (listener.ok()) return base::Ok();
  if (listener.error().sys_errno() == EADDRINUSE && IsRunning(context.configuration.config)) return base::Ok();
  return std::move(listener).error().WithContext(setting);
}

Status CheckAddress(const StartContext& context) {
  return CheckBinding(context, "server.listen", context.configuration.config.listen);
}

Status CheckMetricsAddress(const StartContext& context) {
  const std::string& where = context.configuration.config.metrics_listen;
  constexpr std::string_view kUnix = "unix:";
  if (where.empty()) return base::Ok();
  if (!where.starts_with(kUnix)) return CheckBinding(context, "metrics.listen", where);
  const std::string path = where.substr(kUnix.size());
  const fs::path folder = fs::path(path).parent_path();
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    return Error(Code::kInvalidArgument, "metrics.listen: " + path + " is there and no socket");
  }
  // The runtime folder may be still to be made.
  std::error_code error;
  if (fs::path(context.configuration.config.runtime_dir).lexically_normal() == folder.lexically_normal()) return base::Ok();
  if (!fs::is_directory(folder, error))
    return base::SysError("metrics.listen: " + folder.string(), error ? error.value() : ENOTDIR);
  return base::Ok();
}

}  // namespace

const std::vector<StartCheck>& StartChecks() {
  static const std::vector<StartCheck> checks = {
      {"accounts", CheckAccounts},
      {"programs", CheckPrograms},
      {"folders", CheckFolders},
      {"log file", CheckLog},
      {"metrics address", CheckMetricsAddress},
      {"address", CheckAddress},
  };
  return checks;
}

Status RunStartChecks(const StartContext& context) {
  for (const StartCheck& check : StartChecks()) JOBD_RETURN_IF_ERROR(check.run(context));
  return base::Ok();
}

}  // namespace jobd::daemon
