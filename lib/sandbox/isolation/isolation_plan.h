// The isolation of a job's process between fork and exec: plain data made before, and code that makes system calls and nothing
// else: no allocation, no locks.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace jobd::sandbox {

// A folder of the machine that becomes part of the job's file system.
struct FolderBind {
  int source_dir = -1;  // `source` is relative to it; AT_FDCWD: to the view's root
  const char* source = nullptr;
  const char* target = nullptr;          // absolute
  const char* const* to_make = nullptr;  // folders above the target, and the target, that must be made first; ends with nullptr
  bool writable = false;                 // even where the view is read-only; else not, wherever it lies
  bool without_links = false;            // no part of `source` may be a symbolic link
};

// A hierarchy of cgroup v1: its name as a mount option, and the place.
struct GroupMount {
  const char* name;
  const char* path;
};

// Pointers are borrowed and must stay valid until exec; so must descriptors.
struct IsolationPlan {
  bool namespaces = false;
  int mount_view = -1;
  bool network = true;
  const char* tmp_options = nullptr;       // of tmpfs: "mode=1777,size=…"
  bool var_tmp = false;                    // the view has a /var/tmp
  bool read_only_proc = false;             // for uid 0, who could write to /proc/sys without any capability
  const char* terminal_options = nullptr;  // of devpts, for the job's own terminals
  // Files of OwnerAccounts, in the folder that the view has for them, to be seen as /etc/passwd and /etc/group; nullptr: the
  // machine's are.
  int accounts = -1;
  const char* passwd = nullptr;
  const char* group = nullptr;
  // The job's groups in a cgroup namespace of its own, read-only: as cgroup2 in /sys/fs/cgroup, or a mount for each hierarchy of
  // v1.
  bool own_groups = false;
  bool groups_v2 = false;
  const GroupMount* group_mounts = nullptr;
  size_t group_mount_count = 0;
  const char* const* masked = nullptr;  // files of /proc that read as empty; ends with nullptr
  bool bind_folder = false;
  FolderBind folder;
  // The user as whom `folder` is reached: the job is given only what it could reach itself.
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  size_t group_count = 0;

  bool landlock = false;
  uint64_t landlock_files = 0;  // the rights to be handled, see landlock(7)
  uint64_t landlock_scopes = 0;

  const sock_filter* filter = nullptr;
  uint16_t filter_length = 0;
};

enum class IsolationStep { kNone, kNamespaces, kMounts, kWorkdir };

struct IsolationFailure {
  IsolationStep step = IsolationStep::kNone;  // kNone: all is well
  int error = 0;                              // errno
};

// Enters namespaces and mounts what is the job's own. In a process with CAP_SYS_ADMIN over the view.
IsolationFailure EnterIsolation(const IsolationPlan& plan) noexcept;
// Landlock, once the process is who the job is: file access where the profile has it, scopes wherever there are any. 0 or an errno.
// Needs no_new_privs.
int RestrictFiles(const IsolationPlan& plan) noexcept;
// The last thing of all. 0 or an errno. Needs no_new_privs.
int InstallFilter(const IsolationPlan& plan) noexcept;

}  // namespace jobd::sandbox
