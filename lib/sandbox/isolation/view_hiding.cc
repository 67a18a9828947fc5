#include "sandbox/isolation/view_hiding.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace jobd::sandbox {

namespace {

using base::Fd;
using base::Result;
using base::Status;
using base::SysError;

constexpr size_t kMostFolders = 16;  // of one that is emptied: each is a mount more to copy for each job
constexpr size_t kMostPins = 16;

int Attach(int tree, const std::string& path) { return ::move_mount(tree, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH); }

Fd CopyOf(const std::string& path) {
  return Fd(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool IsBelow(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }

Result<Fd> NewTmpfs(const char* mode) {
  const Fd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", mode, 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return SysError("making a mask", errno);
  }
  Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount) return SysError("making a mask", errno);
  return mount;
}

// For good: no later mount of it can be written to either.
Status Close(const std::string& path) {
  if (::mount("", path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return SysError("closing " + path, errno);
  }
  return base::Ok();
}

// A file system with nothing but one folder, closed to everybody. It is mounted over hidden paths.
class Mask {
 public:
  Status Cover(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return base::Ok();  // nothing there to be seen
    if (!S_ISDIR(info.st_mode)) return CoverFile(path);
    // The first time it is attached itself: before Linux 6.15 only what is attached can be copied.
    if (!dir_) {
      JOBD_ASSIGN_OR_RETURN(dir_, NewTmpfs("0"));
      if (Attach(dir_.get(), path) != 0) return SysError("hiding " + path, errno);
      return Close(path);
    }
    const Fd copy(::open_tree(dir_.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
    if (!copy || Attach(copy.get(), path) != 0) return SysError("hiding " + path, errno);
    return base::Ok();
  }

 private:
  // /dev/null, of a /dev that is ours by now, reads as empty.
  static Status CoverFile(const std::string& path) {
    const Fd null(::open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!null || Attach(null.get(), path) != 0) return SysError("hiding " + path, errno);
    return base::Ok();
  }
  Fd dir_;
};

// The names of folders in it, links to such left out; nothing when there are too many, or when others than its owner could not walk
// through it anyway.
std::vector<std::string> FoldersToKeep(const std::string& path, bool privileged) {
  std::vector<std::string> names;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || (privileged && (info.st_mode & S_IXOTH) == 0)) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    struct stat about {};
    if (name == "." || name == ".." || ::lstat((path + "/" + name).c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) continue;
    names.push_back(name);
  }
  if (names.size() > kMostFolders) names.clear();
  return names;
}

Status Empty(Mask& mask, const std::string& path, bool privileged) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::Ok();
  const std::vector<std::string> names = FoldersToKeep(path, privileged);
  if (names.empty()) return mask.Cover(path);
  std::vector<Fd> folders;
  for (const std::string& name : names) {
    folders.push_back(CopyOf(path + "/" + name));
    if (!folders.back()) return SysError("keeping " + path + "/" + name, errno);
  }
  JOBD_ASSIGN_OR_RETURN(const Fd shell, NewTmpfs("755"));
  if (Attach(shell.get(), path) != 0) return SysError("hiding the files of " + path, errno);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string folder = path + "/" + names[i];
    if (::mkdir(folder.c_str(), 0755) != 0 || Attach(folders[i].get(), folder) != 0) return SysError("keeping " + folder, errno);
  }
  return Close(path);
}

// Somebody as whom jobs run could rename what is in it.
bool CanBeChangedByJobs(const std::string& folder, bool privileged) {
  if (!privileged && ::access(folder.c_str(), W_OK) == 0) return true;
  const bool read_only = !privileged && errno == EROFS;
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return false;
  // In our home, or in a view that is read-only: a working directory is made writable again.
  if (!privileged) return read_only && (info.st_uid == ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0);
  if (info.st_uid != 0) return true;
  return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0;
}

std::vector<std::string> Pins(const ViewOptions& options) {
  std::vector<std::string> all = options.hidden;
  all.insert(all.end(), options.emptied.begin(), options.emptied.end());
  std::set<std::string> pins;  // those above before those below
  for (const std::string& path : all) {
    // What lies in a hidden folder is out of reach with it.
    if (std::any_of(options.hidden.begin(), options.hidden.end(), [&](const auto& other) { return IsBelow(path, other); }))
      continue;
    for (std::string folder = ParentOf(path); folder != "/"; folder = ParentOf(folder)) {
      if (CanBeChangedByJobs(ParentOf(folder), options.privileged)) pins.insert(folder);
    }
  }
  return {pins.begin(), pins.end()};
}

Status CloseHome(const std::string& home) {
  if (home.empty()) return base::Ok();
  const Fd tree = CopyOf(home);
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  if (!tree || ::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0 ||
      Attach(tree.get(), home) != 0) {
    return SysError("closing " + home, errno);
  }
  return base::Ok();
}

}  // namespace

base::Status HideFrom(const ViewOptions& options) {
  JOBD_RETURN_IF_ERROR(CloseHome(options.home));
  const std::vector<std::string> pins = Pins(options);
  if (pins.size() > kMostPins) {
    return base::Error(base::Code::kFailedPrecondition, "what jobd trusts lies below too many folders that jobs can change")
        .WithErrno(E2BIG);
  }
  for (const std::string& folder : pins) {
    const Fd tree = CopyOf(folder);
    if (!tree || Attach(tree.get(), folder) != 0) return SysError("holding " + folder + " in its place", errno);
  }
  Mask mask;
  std::vector<std::string> emptied = options.emptied;
  std::sort(emptied.begin(), emptied.end());
  for (const std::string& path : emptied) JOBD_RETURN_IF_ERROR(Empty(mask, path, options.privileged));
  for (const std::string& path : options.hidden) JOBD_RETURN_IF_ERROR(mask.Cover(path));
  for (const char* path : {"/sys/firmware", "/sys/devices/virtual/powercap"}) JOBD_RETURN_IF_ERROR(mask.Cover(path));
  return base::Ok();
}

}  // namespace jobd::sandbox
