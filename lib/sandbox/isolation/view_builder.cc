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
#include <utility>
#include <vector>

#include "base/files.h"
#include "sandbox/isolation/view_hiding.h"

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
  unsigned int major;
  unsigned int minor;
};
// tty is the terminal of whoever opens it: of a job, one that it has made itself.
constexpr std::array<Device, 6> kDevices{
    {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}};

struct Link {
  const char* path;
  const char* target;
};
// /dev/shm leads to the job's own /tmp: one file system less to make for each job.
constexpr std::array<Link, 6> kLinks{{{"/dev/ptmx", "pts/ptmx"},
                                      {"/dev/fd", "/proc/self/fd"},
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

// A copy of every mount becomes the root. It follows the machine's mounts, never the other way round; but not where all is to be
// read-only: what arrived would not be.
Status EnterCopyOfRoot(bool follow) {
  if (::mount("", "/", nullptr, MS_REC | (follow ? MS_SLAVE : MS_PRIVATE), nullptr) != 0)
    return SysError("making mounts our own", errno);
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
    const dev_t device = privileged ? ::makedev(kDevices[i].major, kDevices[i].minor) : 0;
    if (::mknod(path.c_str(), type | 0666, device) != 0) return SysError("making " + path, errno);
    if (!privileged && Attach(machines[i].get(), path.c_str()) != 0) return SysError("mounting " + path, errno);
  }
  // For the job's own terminals.
  if (::mkdir("/dev/pts", 0755) != 0) return SysError("making /dev/pts", errno);
  for (const Link& link : kLinks) {
    if (::symlink(link.target, link.path) != 0) return SysError(std::string("making ") + link.path, errno);
  }
  if (::mount("", "/dev", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) != 0) {
    return SysError("closing /dev", errno);
  }
  return base::Ok();
}

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
  // In the job's own /tmp: a lock among jobs would be one of somebody else's.
  if (::symlink("/tmp", "/run/lock") != 0) return SysError("making /run/lock", errno);
  if (::mount("", "/run", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kPlain, nullptr) != 0) return SysError("closing /run", errno);
  return base::Ok();
}

// The places where a job mounts its own groups.
Status MakeCgroups(const ViewOptions& options) {
  if (options.layout != GroupLayout::kV1) return base::Ok();  // of v2 there is one place, which sysfs has
  const std::string top = "/sys/fs/cgroup";
  if (::mount("tmpfs", top.c_str(), "tmpfs", kPlain, "mode=755,size=64k") != 0) return SysError("mounting " + top, errno);
  for (const GroupHierarchy& hierarchy : options.hierarchies) {
    const std::string folder = top + "/" + hierarchy.name;
    if (::mkdir(folder.c_str(), 0555) != 0) return SysError("making " + folder, errno);
    for (const std::string& link : hierarchy.links) {
      if (::symlink(hierarchy.name.c_str(), (top + "/" + link).c_str()) != 0) return SysError("making " + top + "/" + link, errno);
    }
  }
  if (::mount("", top.c_str(), nullptr, MS_REMOUNT | MS_RDONLY | kPlain, nullptr) != 0) return SysError("closing " + top, errno);
  return base::Ok();
}

// Jobs mount their own /proc on it.
Status MakeAccounts(MountView& view) {
  if (::mount("tmpfs", "/proc", "tmpfs", kPlain, "mode=755") != 0) return SysError("mounting a folder for accounts", errno);
  JOBD_ASSIGN_OR_RETURN(view.accounts, base::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
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
  JOBD_RETURN_IF_ERROR(EnterCopyOfRoot(!options.read_only));
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
  if (options.privileged) JOBD_RETURN_IF_ERROR(MakeCgroups(options));
  JOBD_RETURN_IF_ERROR(MakeDev(options.privileged));
  JOBD_RETURN_IF_ERROR(MakeRun(options));
  JOBD_RETURN_IF_ERROR(HideFrom(options));
  JOBD_RETURN_IF_ERROR(MakeAccounts(view));
  view.machine_tmp.reset(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  view.machine_var_tmp.reset(::open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  return base::Ok();
}

}  // namespace jobd::sandbox
