#include "daemon/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <deque>
#include <string_view>

#include "base/files.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

// Only root and we can make names in it.
base::Result<bool> IsTrusted(int dir) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return base::SysError("looking at a directory", errno);
  return (info.st_uid == 0 || info.st_uid == ::geteuid()) && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

base::Result<base::Fd> Step(int dir, const std::string& name, mode_t make_mode, bool make) {
  if (make && ::mkdirat(dir, name.c_str(), make_mode) != 0 && errno != EEXIST) return base::SysError("making " + name, errno);
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return base::SysError("opening " + name, errno);
  if (S_ISLNK(info.st_mode)) {
    JOBD_ASSIGN_OR_RETURN(const bool trusted, IsTrusted(dir));
    if (!trusted)
      return base::Error(base::Code::kPermissionDenied, name + " is a symbolic link in a directory that others can write to");
    return base::OpenAt(dir, name, O_RDONLY | O_DIRECTORY);
  }
  return base::OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

base::Result<base::Fd> Walk(std::string_view path, mode_t mode, bool make) {
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, base::OpenAt(AT_FDCWD, path.starts_with('/') ? "/" : ".", O_RDONLY | O_DIRECTORY));
  while (!path.empty()) {
    const size_t end = path.find('/');
    const std::string name(path.substr(0, end));
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (name.empty() || name == ".") continue;
    JOBD_ASSIGN_OR_RETURN(dir, Step(dir.get(), name, path.empty() ? mode : 0755, make));
  }
  return dir;
}

// As the kernel follows at most (MAXSYMLINKS).
constexpr int kMaxLinks = 40;

std::string Mode(const struct stat& info) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(info.st_mode & 07777));
  return text.data();
}

// Nobody but root and we can change what `path` is. In a sticky folder that depends on the owner of each name, which is looked at.
base::Status CheckTrusted(const std::string& path, const struct stat& info, const char* kind, uid_t also = 0) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid() && info.st_uid != also) {
    return base::Error(base::Code::kPermissionDenied, "the " + std::string(kind) + " " + path + " belongs to uid " +
                                                          std::to_string(info.st_uid) +
                                                          ", which could change what jobd trusts: chown it to root");
  }
  const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if (S_ISLNK(info.st_mode) || sticky || (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return base::Ok();
  return base::Error(base::Code::kPermissionDenied,
                     "the " + std::string(kind) + " " + path + " (mode " + Mode(info) +
                         ") can be written by others, who could change what jobd trusts: chmod go-w " + path);
}

// Puts the names of `path` before those that are still to be walked.
void PutBefore(std::deque<std::string>& names, std::string_view path) {
  std::deque<std::string> first;
  while (!path.empty()) {
    const size_t end = path.find('/');
    if (const std::string_view name = path.substr(0, end); !name.empty() && name != ".") first.emplace_back(name);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
  }
  names.insert(names.begin(), first.begin(), first.end());
}

base::Result<base::Fd> OpenTrustedFolder(int above, const char* name, const std::string& path, uid_t also = 0) {
  base::Fd dir(::openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return base::SysError("opening " + path, errno);
  struct stat info {};
  if (::fstat(dir.get(), &info) != 0) return base::SysError("looking at " + path, errno);
  JOBD_RETURN_IF_ERROR(CheckTrusted(path, info, "folder", also));
  return dir;
}

std::string OwnProgram() {
  std::string self(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  self.resize(size > 0 ? static_cast<size_t>(size) : 0);
  // After an upgrade in place: the path is still right.
  constexpr std::string_view kGone = " (deleted)";
  if (self.ends_with(kGone)) self.resize(self.size() - kGone.size());
  return self;
}

// Others than we and root cannot: CheckTrusted saw to that. `path` is absolute and has no links in it.
bool WeCouldReplace(const std::string& path) {
  if (::access(path.c_str(), W_OK) == 0) return true;
  for (std::string name = path; !name.empty(); name.resize(name.rfind('/'))) {
    struct stat info {};
    // What is ours we can make writable, and take away even in a sticky folder.
    if (::lstat(name.c_str(), &info) == 0 && info.st_uid == ::geteuid()) return true;
    const std::string above = name.substr(0, name.rfind('/') + 1);
    if (::access(above.c_str(), W_OK) == 0 && ::stat(above.c_str(), &info) == 0 && (info.st_mode & S_ISVTX) == 0) return true;
  }
  return false;
}

// As OpenTrustedFile, where `also` is trusted like root.
base::Result<base::Fd> OpenTrusted(const std::string& path, uid_t also) {
  std::deque<std::string> names;
  PutBefore(names, path);
  if (!path.starts_with('/')) {
    std::array<char, PATH_MAX> here{};
    if (::getcwd(here.data(), here.size()) == nullptr) return base::SysError("looking for the working directory", errno);
    PutBefore(names, here.data());
  }
  if (names.empty()) return base::Error(base::Code::kInvalidArgument, "'" + path + "' is not a file");
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, OpenTrustedFolder(AT_FDCWD, "/", "/", also));
  std::string walked;  // the way to `dir`, for errors
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.front());
    names.pop_front();
    const std::string here = walked + "/" + name;
    struct stat info {};
    if (::fstatat(dir.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return base::SysError("opening " + here, errno);
    if (S_ISLNK(info.st_mode)) {
      JOBD_RETURN_IF_ERROR(CheckTrusted(here, info, "symbolic link", also));
      if (++links > kMaxLinks) return base::SysError("opening " + path, ELOOP);
      std::array<char, PATH_MAX> target{};
      const ssize_t size = ::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
      if (size <= 0) return base::SysError("reading the symbolic link " + here, errno);
      const std::string_view to(target.data(), static_cast<size_t>(size));
      PutBefore(names, to);
      if (!to.starts_with('/')) continue;
      JOBD_ASSIGN_OR_RETURN(dir, OpenTrustedFolder(AT_FDCWD, "/", "/", also));
      walked.clear();
    } else if (!names.empty()) {
      JOBD_ASSIGN_OR_RETURN(dir, OpenTrustedFolder(dir.get(), name.c_str(), here, also));
      walked = here;
    } else {
      // Not before it is known what it is: to open a device or a pipe can do something.
      if (!S_ISREG(info.st_mode)) return base::Error(base::Code::kInvalidArgument, here + " is not a file");
      base::Fd file(::openat(dir.get(), name.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
      if (!file) return base::SysError("opening " + here, errno);
      if (::fstat(file.get(), &info) != 0) return base::SysError("looking at " + here, errno);
      if (!S_ISREG(info.st_mode)) return base::Error(base::Code::kInvalidArgument, here + " is not a file");
      JOBD_RETURN_IF_ERROR(CheckTrusted(here, info, "file", also));
      return file;
    }
  }
  return base::Error(base::Code::kInvalidArgument, path + " is not a file");
}

// Root: nobody else.
uid_t InstallerOf(const std::string& program, const std::set<uid_t>& of_jobs) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(program.substr(0, program.rfind('/') + 1).c_str(), &info) != 0) return 0;
  // A uid without an account is of the range that jobs get theirs from, or of somebody who is gone.
  const bool has_account = sandbox::AccountName(info.st_uid) != std::to_string(info.st_uid);
  return has_account && !of_jobs.contains(info.st_uid) ? info.st_uid : 0;
}

}  // namespace

base::Result<base::Fd> OpenTrustedFile(const std::string& path) { return OpenTrusted(path, 0); }

base::Result<base::Fd> MakeDirs(const std::string& path, mode_t mode) {
  auto dir = Walk(path, mode, true);
  if (!dir.ok()) return std::move(dir).error().WithContext(path);
  return dir;
}

base::Result<base::Fd> OpenDirs(const std::string& path) {
  auto dir = Walk(path, 0, false);
  if (!dir.ok()) return std::move(dir).error().WithContext(path);
  return dir;
}

base::Result<base::Fd> OpenTrustedParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  auto dir = Walk(slash == std::string::npos ? "." : path.substr(0, slash + 1), 0, false);
  if (!dir.ok()) return std::move(dir).error().WithContext(path);
  JOBD_ASSIGN_OR_RETURN(const bool trusted, IsTrusted(dir->get()));
  if (!trusted) return base::Error(base::Code::kPermissionDenied, path + ": lies in a directory that others can write to");
  return dir;
}

std::string ServerProgram() {
  const std::string self = OwnProgram();
  return self.substr(0, self.rfind('/') + 1) + "jobd-server";
}

base::Status CheckTrustedPrograms(const std::set<uid_t>& of_jobs) {
  const uid_t installer = InstallerOf(OwnProgram(), of_jobs);
  for (const std::string& program : {OwnProgram(), ServerProgram()}) {
    const auto file = OpenTrusted(program, installer);
    if (!file.ok() && file.error().code() != base::Code::kNotFound) return base::Error(file.error()).WithContext("jobd's programs");
  }
  return base::Ok();
}

std::vector<std::string> ProgramsWeCouldReplace() {
  std::vector<std::string> programs;
  for (const std::string& program : {OwnProgram(), ServerProgram()}) {
    if (WeCouldReplace(program)) programs.push_back(program);
  }
  return programs;
}

std::string LastName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace jobd::daemon
