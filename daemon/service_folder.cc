#include "daemon/service_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string_view>

#include "base/files.h"
#include "base/text.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/frames.h"
#include "launch/launcher/owner_uids.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr const char* kMarkName = ".jobd";
constexpr const char* kNewMarkName = ".jobd.new";  // what a crash may leave
// Of folders that the version before may have left so many are looked at: one of ours is enough.
constexpr size_t kLookAt = 1000;

std::string Shown(const FolderClaim& claim) { return "server." + std::string(RoleName(claim.role)) + "_dir: " + claim.path; }

Error Refused(const FolderClaim& claim, const std::string& why) { return {Code::kFailedPrecondition, Shown(claim) + " " + why}; }

constexpr const char* kGiveOwn = ": give jobd a folder of its own, which it makes itself";

std::string TextOf(const FolderClaim& claim, const FolderMark& mark) {
  return "jobd " + std::string(RoleName(claim.role)) + " 1\ninstance " + mark.instance + "\nstate " + mark.state_path + "\n";
}

// The rest of the line that begins so; cut off.
bool Take(std::string_view& text, std::string_view begin, std::string& rest) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(begin)) return false;
  rest = text.substr(begin.size(), end - begin.size());
  text.remove_prefix(end + 1);
  return true;
}

Result<std::vector<std::string>> NamesIn(int dir) {
  struct CloseDir {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  JOBD_ASSIGN_OR_RETURN(base::Fd again, base::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(again.get()));
  if (!stream) return base::SysError("listing a folder", errno);
  (void)again.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    if (names.size() >= kLookAt) return names;
  }
  if (errno != 0) return base::SysError("listing a folder", errno);
  return names;
}

bool IsFolderOf(int dir, const std::string& name, uid_t owner) {
  struct stat info {};
  return ::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode) && info.st_uid == owner;
}

bool IsFile(int dir, const std::string& name) {
  struct stat info {};
  return ::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

// OWNER/ID/exits, or folders of owners all of whose batches were deleted.
bool LooksLikeLogs(int dir, const std::vector<std::string>& names, uid_t owner) {
  bool only_owners = true;
  for (const std::string& name : names) {
    const auto folder = base::OpenBeneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!base::IsSafeName(name) || !folder.ok() || !IsFolderOf(dir, name, owner)) {
      only_owners = false;
      continue;
    }
    const auto batches = NamesIn(folder->get());
    if (!batches.ok() || !batches->empty()) only_owners = false;
    if (!batches.ok()) continue;
    for (const std::string& batch : *batches) {
      if (base::IsSafeName(batch) && IsFile(folder->get(), batch + "/" + launch::kExitFileName)) return true;
    }
  }
  return only_owners;
}

bool LooksLikeOurs(int dir, const FolderClaim& claim, const std::vector<std::string>& names, uid_t owner) {
  switch (claim.role) {
    case FolderRole::kState: return IsFile(dir, "jobd.db") || IsFile(dir, "server.lock");
    case FolderRole::kLog: return LooksLikeLogs(dir, names, owner);
    case FolderRole::kRuntime: break;
  }
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    // A temporary one of either is what a crash leaves.
    return name == "pid" || name.starts_with("address") || name.starts_with("server.pid") || name.starts_with("pid.") ||
           name.starts_with(".address") || name.starts_with(".server.pid") || name.starts_with(".pid") ||
           name.starts_with(launch::kServerSocketName);
  });
}

// Names in the folder that say something of whose it is.
std::vector<std::string> Telling(std::vector<std::string> names, const FolderClaim& claim) {
  std::erase_if(names, [&](const std::string& name) {
    const std::string path = claim.path + "/" + name;
    return name == "lost+found" || std::any_of(claim.ours.begin(), claim.ours.end(), [&](const std::string& ours) {
             return ours == path || ours.starts_with(path + "/");
           });
  });
  return names;
}

bool IsMountPoint(int dir) {
  struct statx info {};
  return ::statx(dir, "", AT_EMPTY_PATH, STATX_TYPE, &info) == 0 && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::string RealPath(int dir) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(dir)).c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

}  // namespace

bool IsOfTheSystem(const std::string& folder) {
  constexpr std::string_view kFolders[] = {
      "/",          "/bin",      "/boot",    "/dev",     "/dev/shm",   "/etc",    "/etc/pki", "/etc/ssl",   "/home",
      "/lib",       "/lib32",    "/lib64",   "/media",   "/mnt",       "/opt",    "/proc",    "/root",      "/run",
      "/run/lock",  "/run/user", "/sbin",    "/srv",     "/sys",       "/tmp",    "/usr",     "/usr/local", "/var",
      "/var/cache", "/var/lib",  "/var/log", "/var/run", "/var/spool", "/var/tmp"};
  return std::find(std::begin(kFolders), std::end(kFolders), folder) != std::end(kFolders);
}

const char* RoleName(FolderRole role) {
  return role == FolderRole::kState ? "state" : role == FolderRole::kLog ? "log" : "runtime";
}

std::vector<FolderClaim> ClaimsOf(const config::Config& config) {
  const auto plain = [](const std::string& path) {
    std::string text = std::filesystem::absolute(path).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  };
  std::vector<std::string> ours;
  const std::string metrics = config.metrics_listen.starts_with("unix:") ? config.metrics_listen.substr(5) : "";
  for (const std::string* path : {&config.state_dir, &config.log_dir, &config.runtime_dir, &config.log_file, &metrics}) {
    if (!path->empty()) ours.push_back(plain(*path));
  }
  return {{.role = FolderRole::kState, .path = plain(config.state_dir), .ours = ours},
          {.role = FolderRole::kLog, .path = plain(config.log_dir), .ours = ours},
          {.role = FolderRole::kRuntime, .path = plain(config.runtime_dir), .ours = ours}};
}

Result<FolderMark> ReadMark(int dir, const FolderClaim& claim) {
  const auto file = base::OpenAt(dir, kMarkName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file.ok() && file.error().code() == Code::kNotFound) return FolderMark{};
  const std::string path = claim.path + "/" + kMarkName;
  if (!file.ok()) return Error(file.error()).WithContext(Shown(claim));
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return base::SysError("looking at " + path, errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Refused(claim, "bears a mark that is not this jobd's own (" + path + " belongs to " + sandbox::AccountName(info.st_uid) +
                              "): remove that file if the folder is this jobd's all the same");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(file->get(), 16u << 10));
  if (text.empty()) return FolderMark{};  // made, and not written before a loss of power
  std::string_view left = text;
  std::string role;
  FolderMark mark;
  if (!Take(left, "jobd ", role) || !Take(left, "instance ", mark.instance) || !Take(left, "state ", mark.state_path) ||
      mark.instance.empty()) {
    return Refused(claim, "bears a mark that cannot be read: remove " + path + " if the folder is this jobd's");
  }
  if (role != std::string(RoleName(claim.role)) + " 1") {
    return Refused(
        claim, "is a jobd's folder for something else (" + path + " says: jobd " + base::EscapeForTerminal(role) + ")" + kGiveOwn);
  }
  return mark;
}

Status JudgeFolder(int dir, const FolderClaim& claim, const ServerAccount& account, const FolderMark& mark) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return base::SysError("looking at " + claim.path, errno);
  // The last holds the configuration of every jobd of the machine.
  const auto is_others = [](const std::string& path) { return IsOfTheSystem(path) || path == "/etc/jobd"; };
  if (is_others(claim.path) || is_others(RealPath(dir))) {
    return Refused(claim, std::string("is a folder of the system") + kGiveOwn);
  }
  JOBD_ASSIGN_OR_RETURN(const FolderMark found, ReadMark(dir, claim));
  if (!found.instance.empty()) {
    if (found.instance == mark.instance || found.state_path == mark.state_path || claim.role == FolderRole::kState)
      return base::Ok();
    return Refused(claim, "belongs to the jobd whose state is in " + base::EscapeForTerminal(found.state_path) + kGiveOwn +
                              ", or, if that jobd is gone for good, remove " + claim.path + "/" + kMarkName);
  }
  const uid_t owner = account.uid.value_or(::geteuid());
  if (info.st_uid != owner && info.st_uid != ::geteuid()) {
    return Error(Code::kPermissionDenied, Shown(claim) + " belongs to " + sandbox::AccountName(info.st_uid) + kGiveOwn);
  }
  auto names = NamesIn(dir);
  if (!names.ok()) return std::move(names).error().WithContext(Shown(claim));
  std::erase(*names, kMarkName);
  std::erase(*names, kNewMarkName);
  if (claim.role == FolderRole::kLog) std::erase(*names, launch::kUidsCopy);
  if (claim.role == FolderRole::kState) std::erase(*names, launch::kUidsFile);
  *names = Telling(std::move(*names), claim);
  if (names->empty()) {
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) == 0 || IsMountPoint(dir)) return base::Ok();
    return Error(Code::kPermissionDenied, Shown(claim) + " can be written by others: chmod 700 it if it is to be jobd's alone");
  }
  if (info.st_uid == owner && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0 && LooksLikeOurs(dir, claim, *names, owner))
    return base::Ok();
  return Refused(claim,
                 "is not empty, and what is in it (" + base::EscapeForTerminal(names->front()) + ") is not of a jobd" + kGiveOwn);
}

Result<std::string> FolderOfAnOwner(int log_dir, const FolderClaim& claim, const ServerAccount& account) {
  auto names = NamesIn(log_dir);
  if (!names.ok()) return std::move(names).error().WithContext(Shown(claim));
  const uid_t owner = account.uid.value_or(::geteuid());
  for (const std::string& name : Telling(*std::move(names), claim)) {
    if (base::IsSafeName(name) && IsFolderOf(log_dir, name, owner)) return name;
  }
  return std::string();
}

Status MarkFolder(int dir, const FolderClaim& claim, const FolderMark& mark) {
  const std::string text = TextOf(claim, mark);
  if (const auto now = base::ReadFile(dir, kMarkName, 16u << 10); now.ok() && *now == text) return base::Ok();
  // Beside it, so that there is always a whole one. A mark is ours by its owner, and nobody else can write to it; whoever owns the
  // folder can only take it away.
  const std::string what = "marking " + claim.path;
  if (::unlinkat(dir, kNewMarkName, 0) != 0 && errno != ENOENT) return base::SysError(what, errno);
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir, kNewMarkName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  auto written = base::WriteAll(file.get(), text);
  if (written.ok() && ::fsync(file.get()) != 0) written = base::SysError(what, errno);
  if (written.ok() && ::renameat(dir, kNewMarkName, dir, kMarkName) != 0) written = base::SysError(what, errno);
  if (!written.ok()) {
    (void)::unlinkat(dir, kNewMarkName, 0);
    return written;
  }
  if (::fsync(dir) != 0 && errno != EINVAL) return base::SysError(what, errno);
  return base::Ok();
}

}  // namespace jobd::daemon
