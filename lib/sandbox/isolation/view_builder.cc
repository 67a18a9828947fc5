#include "sandbox/isolation/view_builder.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>

#include "base/files.h"

namespace jobd::sandbox {

namespace {

using base::Fd;
using base::Result;
using base::Status;
using base::SysError;

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

int Attach(int tree, const char* path) { return ::move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH); }

struct Device {
  const char* name;
  unsigned int minor;  // of major 1
};
constexpr std::array<Device, 5> kDevices{{{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}}};

struct Link {
  const char* path;
  const char* target;
};
// /dev/shm leads to the job's own /tmp: one file system less to make for each job.
constexpr std::array<Link, 5> kLinks{{{"/dev/fd", "/proc/self/fd"},
                                      {"/dev/stdin", "/proc/self/fd/0"},
                                      {"/dev/stdout", "/proc/self/fd/1"},
                                      {"/dev/stderr", "/proc/self/fd/2"},
                                      {"/dev/shm", "/tmp"}}};

Status WriteOnce(const char* path, const std::string& text) {
  JOBD_ASSIGN_OR_RETURN(const Fd file, base::OpenAt(AT_FDCWD, path, O_WRONLY));
  return base::WriteAll(file.get(), text).ok() ? base::Ok() : Status(SysError(std::string("writing ") + path, errno));
}

// Root of a user namespace of ours is nobody outside of it: it can mount, and owns no file that we did not own before.
Status EnterUserNamespace(uid_t uid, gid_t gid) {
  // The launcher is not dumpable, and so the files below /proc/self are root's.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return SysError("preparing a user namespace", errno);
  if (::unshare(CLONE_NEWUSER) != 0) return SysError("making a user namespace", errno);
  JOBD_RETURN_IF_ERROR(WriteOnce("/proc/self/setgroups", "deny"));
  JOBD_RETURN_IF_ERROR(WriteOnce("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1"));
  return WriteOnce("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
}

// A copy of every mount, without later changes of the machine's, becomes the root.
Status EnterCopyOfRoot() {
  if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return SysError("making mounts private", errno);
  const Fd tree(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree) return SysError("copying the root", errno);
  if (Attach(tree.get(), "/") != 0) return SysError("mounting the root", errno);
  if (::fchdir(tree.get()) != 0) return SysError("entering the root", errno);
  // pivot_root(2): with both the same, the old root lies on top of the new one, from where it is taken away.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return SysError("changing the root", errno);
  if (::umount2(".", MNT_DETACH) != 0) return SysError("leaving the old root", errno);
  if (::chdir("/") != 0) return SysError("entering the root", errno);
  return base::Ok();
}

Status SetAttributes(uint64_t attributes) {
  mount_attr attr{};
  attr.attr_set = attributes;
  if (::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof attr) != 0) {
    return SysError("restricting the root", errno);
  }
  return base::Ok();
}

// Device nodes of our own where we may make them, else the machine's, taken before /dev is covered.
Status MakeDev(bool privileged) {
  std::array<Fd, kDevices.size()> machines;
  for (size_t i = 0; i < kDevices.size() && !privileged; ++i) {
    const std::string path = std::string("/dev/") + kDevices[i].name;
    machines[i].reset(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    // The root's attributes are its own too by now; of all devices these are wanted.
    mount_attr attr{};
    attr.attr_clr = MOUNT_ATTR_NODEV;
    if (!machines[i] || ::mount_setattr(machines[i].get(), "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
      return SysError("taking " + path, errno);
    }
  }
  if (::mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0) return SysError("mounting /dev", errno);
  for (size_t i = 0; i < kDevices.size(); ++i) {
    const std::string path = std::string("/dev/") + kDevices[i].name;
    const mode_t type = privileged ? S_IFCHR : S_IFREG;
    const dev_t device = privileged ? ::makedev(1, kDevices[i].minor) : 0;
    if (::mknod(path.c_str(), type | 0666, device) != 0) return SysError("making " + path, errno);
    if (!privileged && Attach(machines[i].get(), path.c_str()) != 0) return SysError("mounting " + path, errno);
  }
  for (const Link& link : kLinks) {
    if (::symlink(link.target, link.path) != 0) return SysError(std::string("making ") + link.path, errno);
  }
  if (::mount("", "/dev", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) != 0) {
    return SysError("closing /dev", errno);
  }
  return base::Ok();
}

// A file system with nothing but one file, closed to everybody. It is mounted over hidden paths.
class Mask {
 public:
  static Result<Mask> Make() {
    Mask mask;
    const Fd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!context) return SysError("making a mask", errno);
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0", 0) != 0 ||
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
      return SysError("making a mask", errno);
    }
    mask.dir_.reset(
        ::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    if (!mask.dir_) return SysError("making a mask", errno);
    return mask;
  }
  Status Cover(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return base::Ok();  // nothing there to be seen
    if (!S_ISDIR(info.st_mode)) return CoverFile(path);
    // The first time it is attached itself: before Linux 6.15 only what is attached can be copied.
    if (!attached_) {
      if (Attach(dir_.get(), path.c_str()) != 0) return SysError("hiding " + path, errno);
      attached_ = true;
      return base::Ok();
    }
    const Fd copy(::open_tree(dir_.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
    if (!copy || Attach(copy.get(), path.c_str()) != 0) return SysError("hiding " + path, errno);
    return base::Ok();
  }

 private:
  // /dev/null, of a /dev that is ours by now, reads as empty.
  static Status CoverFile(const std::string& path) {
    const Fd null(::open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!null || Attach(null.get(), path.c_str()) != 0) return SysError("hiding " + path, errno);
    return base::Ok();
  }
  Fd dir_;
  bool attached_ = false;
};

// The sockets of the machine's services are not for jobs. Where name resolution needs one, its folder stays; not the file
// alone, which is replaced now and then.
Status MakeRun(const ViewOptions& options) {
  struct stat info {};
  if (::stat("/run", &info) != 0) return base::Ok();
  std::error_code none;
  const std::string resolver = options.resolver.empty() ? "" : std::filesystem::canonical(options.resolver, none).string();
  const std::string folder = resolver.substr(0, resolver.rfind('/'));
  Fd kept;
  if (folder.starts_with("/run/")) {
    kept.reset(::open_tree(AT_FDCWD, folder.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    mount_attr attr{};
    attr.attr_set = MOUNT_ATTR_RDONLY;
    if (!kept || ::mount_setattr(kept.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0) {
      return SysError("keeping " + folder, errno);
    }
  }
  // With all that is mounted below it: less to copy for each job.
  while (options.privileged && ::umount2("/run", MNT_DETACH) == 0) {
  }
  if (::mount("tmpfs", "/run", "tmpfs", kPlain, "mode=755,size=64k") != 0) return SysError("mounting /run", errno);
  if (kept) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error || Attach(kept.get(), folder.c_str()) != 0) return SysError("keeping " + folder, error ? error.value() : errno);
  }
  if (::mount("", "/run", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kPlain, nullptr) != 0) return SysError("closing /run", errno);
  return base::Ok();
}

Status MakeSys(bool privileged) {
  // In a user namespace the machine's stays, as read-only as the root's attributes make it.
  if (!privileged) {
    mount_attr attr{};
    attr.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(AT_FDCWD, "/sys", AT_RECURSIVE, &attr, sizeof attr) != 0 && errno != EINVAL && errno != ENOENT) {
      return SysError("closing /sys", errno);
    }
    return base::Ok();
  }
  // Without the control groups mounted below the machine's.
  if (::mount("sysfs", "/sys", "sysfs", kPlain | MS_RDONLY, nullptr) != 0) return SysError("mounting /sys", errno);
  return base::Ok();
}

}  // namespace

Status BuildView(const ViewOptions& options, uid_t uid, gid_t gid, MountView& view) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return SysError("preparing", errno);
  ::umask(0);  // device nodes are for all
  if (!options.privileged) {
    JOBD_RETURN_IF_ERROR(EnterUserNamespace(uid, gid));
    JOBD_ASSIGN_OR_RETURN(view.users, base::OpenAt(AT_FDCWD, "/proc/self/ns/user", O_RDONLY));
  }
  if (::unshare(CLONE_NEWNS) != 0) return SysError("making a mount namespace", errno);
  // While /proc is still the machine's.
  JOBD_ASSIGN_OR_RETURN(view.mounts, base::OpenAt(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY));
  JOBD_RETURN_IF_ERROR(EnterCopyOfRoot());
  if (options.privileged) {
    // Each mount less is one less to copy for each job. In a user namespace they cannot be taken away, only covered.
    for (const char* path : {"/proc", "/sys", "/dev"}) {
      while (::umount2(path, MNT_DETACH) == 0) {
      }
    }
  }
  const uint64_t read_only = options.read_only ? MOUNT_ATTR_RDONLY : 0;
  JOBD_RETURN_IF_ERROR(SetAttributes(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | read_only));
  JOBD_RETURN_IF_ERROR(MakeSys(options.privileged));
  JOBD_RETURN_IF_ERROR(MakeDev(options.privileged));
  JOBD_ASSIGN_OR_RETURN(Mask mask, Mask::Make());
  JOBD_RETURN_IF_ERROR(MakeRun(options));
  for (const std::string& path : options.hidden) JOBD_RETURN_IF_ERROR(mask.Cover(path));
  for (const char* path : {"/sys/firmware", "/sys/devices/virtual/powercap"}) JOBD_RETURN_IF_ERROR(mask.Cover(path));
  view.machine_tmp.reset(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  view.machine_var_tmp.reset(::open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  return base::Ok();
}

}  // namespace jobd::sandbox
