#include "daemon/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/files.h"

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

}  // namespace

base::Result<base::Fd> MakeDirs(const std::string& path, mode_t mode) {
  auto dir = Walk(path, mode, true);
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

std::string LastName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace jobd::daemon
