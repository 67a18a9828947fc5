// Namespaces and mounts, in the job's process. System calls only.
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/isolation/isolation_plan.h"

namespace jobd::sandbox {

namespace {

IsolationFailure Failed(IsolationStep step) noexcept { return {step, errno}; }

// As the job for the file system, and still as ourselves for mounting.
int OpenFolder(const IsolationPlan& plan) noexcept {
  if (plan.switch_user) {
    if (::syscall(SYS_setgroups, plan.group_count, plan.groups) != 0) return -1;
    ::syscall(SYS_setfsgid, plan.gid);
    ::syscall(SYS_setfsuid, plan.uid);
  }
  constexpr unsigned int kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  int tree = -1;
  if (plan.folder.without_links) {
    const open_how how{.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS};
    const auto folder = static_cast<int>(::syscall(SYS_openat2, plan.folder.source_dir, plan.folder.source, &how, sizeof how));
    if (folder >= 0) tree = ::open_tree(folder, "", kFlags | AT_EMPTY_PATH);
  } else {
    tree = ::open_tree(plan.folder.source_dir, plan.folder.source, kFlags);
  }
  const int error = errno;
  if (plan.switch_user) {
    ::syscall(SYS_setfsuid, ::geteuid());
    ::syscall(SYS_setfsgid, ::getegid());
  }
  errno = error;
  return tree;
}

bool AttachFolder(const FolderBind& folder, int tree) noexcept {
  struct stat info;
  if (::fstat(tree, &info) != 0) return false;
  if (!S_ISDIR(info.st_mode)) {
    errno = ENOTDIR;
    return false;
  }
  mount_attr attr{};
  (folder.writable ? attr.attr_clr : attr.attr_set) = MOUNT_ATTR_RDONLY;
  // What becomes writable is the folder alone: what is mounted below it, hidden folders among them, stays as it is.
  const unsigned int reach = folder.writable ? 0 : AT_RECURSIVE;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | reach, &attr, sizeof attr) != 0) return false;
  for (const char* const* path = folder.to_make; *path != nullptr; ++path) {
    if (::mkdir(*path, 0755) != 0 && errno != EEXIST) return false;
  }
  return ::move_mount(tree, "", AT_FDCWD, folder.target, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

// A file of the view, before the view is copied.
int TakeAccounts(int folder, const char* name) noexcept {
  return name == nullptr ? -1 : ::open_tree(folder, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

bool CoverFile(int tree, const char* path) noexcept {
  constexpr unsigned int kFollow = 0x10;  // MOVE_MOUNT_T_SYMLINKS
  // Where jobd is no root the file is the job's own user's, and is that of later jobs, too.
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  const bool done = ::mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0 &&
                    ::move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | kFollow) == 0;
  const int error = errno;
  ::close(tree);
  errno = error;
  return done;
}

// In the job's cgroup namespace, whose roots are its own groups.
bool MountGroups(const IsolationPlan& plan) noexcept {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
  if (plan.groups_v2) return ::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", kFlags, nullptr) == 0;
  for (size_t i = 0; i < plan.group_mount_count; ++i) {
    const GroupMount& mount = plan.group_mounts[i];
    if (::mount("cgroup", mount.path, "cgroup", kFlags, mount.name) != 0) return false;
  }
  return true;
}

bool BringLoopbackUp() noexcept {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  const int error = errno;
  ::close(socket);
  errno = error;
  return up;
}

}  // namespace

IsolationFailure EnterIsolation(const IsolationPlan& plan) noexcept {
  if (!plan.namespaces) return {};
  if (::setns(plan.mount_view, CLONE_NEWNS) != 0) return Failed(IsolationStep::kNamespaces);
  // Before the view is copied: the descriptors below which the folder is found belong to the view itself.
  int folder = -1;
  if (plan.bind_folder) {
    folder = OpenFolder(plan);
    if (folder < 0) return Failed(IsolationStep::kWorkdir);
  }
  const int passwd = TakeAccounts(plan.accounts, plan.passwd);
  const int group = TakeAccounts(plan.accounts, plan.group);
  if ((plan.passwd != nullptr && passwd < 0) || (plan.group != nullptr && group < 0)) return Failed(IsolationStep::kMounts);
  const int more = (plan.network ? 0 : CLONE_NEWNET) | (plan.own_groups ? CLONE_NEWCGROUP : 0);
  if (::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | more) != 0) return Failed(IsolationStep::kNamespaces);
  if (!plan.network && !BringLoopbackUp()) return Failed(IsolationStep::kNamespaces);

  // Only root could write to the files of /proc that steer the kernel: another user needs no read-only mounts for that.
  unsigned long proc_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (plan.read_only_proc) proc_flags |= MS_RDONLY;
  if (::mount("proc", "/proc", "proc", proc_flags, nullptr) != 0) {
    return Failed(IsolationStep::kMounts);
  }
  for (const char* const* path = plan.masked; *path != nullptr; ++path) {
    if (::mount("/dev/null", *path, nullptr, MS_BIND, nullptr) != 0) return Failed(IsolationStep::kMounts);
  }
  if (::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, plan.tmp_options) != 0) return Failed(IsolationStep::kMounts);
  if (plan.var_tmp && ::mount("/tmp", "/var/tmp", nullptr, MS_BIND, nullptr) != 0) return Failed(IsolationStep::kMounts);
  if (::mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, plan.terminal_options) != 0)
    return Failed(IsolationStep::kMounts);
  if (plan.own_groups && !MountGroups(plan)) return Failed(IsolationStep::kMounts);
  if (passwd >= 0 && !CoverFile(passwd, "/etc/passwd")) return Failed(IsolationStep::kMounts);
  if (group >= 0 && !CoverFile(group, "/etc/group")) return Failed(IsolationStep::kMounts);
  if (plan.bind_folder && !AttachFolder(plan.folder, folder)) return Failed(IsolationStep::kWorkdir);
  // Not the view's root, but the copy's: setns left us there, and unshare took us along. Only the working directory may be stale.
  if (::chdir("/") != 0) return Failed(IsolationStep::kMounts);
  return {};
}

int InstallFilter(const IsolationPlan& plan) noexcept {
  if (plan.filter_length == 0) return 0;
  const sock_fprog program{plan.filter_length, const_cast<sock_filter*>(plan.filter)};
  constexpr unsigned int kSetModeFilter = 1;  // SECCOMP_SET_MODE_FILTER
  return ::syscall(SYS_seccomp, kSetModeFilter, 0u, &program) == 0 ? 0 : errno;
}

}  // namespace jobd::sandbox
