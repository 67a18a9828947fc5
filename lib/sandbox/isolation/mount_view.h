// The file system as isolated jobs see it, made once: a mount namespace that a job enters and copies. Everything that is
// the same for all jobs is mounted here, so that a start pays only for the job's own /proc and /tmp.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::sandbox {

struct ViewOptions {
  bool privileged = false;  // else in a user namespace in which we are mapped to ourselves
  bool read_only = false;   // the whole system
  // The file that says how names of hosts are resolved. When it lies below /run, its folder there is all of /run that stays; empty:
  // nothing does.
  std::string resolver;
  // Absolute paths, without symbolic links, of folders and files that no job may see. Those that do not exist are left out.
  std::vector<std::string> hidden;
  // As those, folders: of them jobs see the folders in them and no file, whatever is put there later; nothing at all where there
  // are too many folders, or where only their owner could walk through.
  std::vector<std::string> emptied;
  // Our own home, which jobs that run as we do must not change; empty: none.
  std::string home;
  // How a job's groups are to be shown.
  GroupLayout layout = GroupLayout::kNone;
  std::vector<GroupHierarchy> hierarchies;
};

// The machine's folders; what is mounted on the machine later arrives in a view that is not read-only, where the machine's mounts
// are shared (mount_namespaces(7)). /dev with null, zero, full, random, urandom, tty and links, and a place for the job's own
// terminals, nothing else, read-only; /sys read-only, without firmware and energy meters; /run empty but for name resolution and a
// lock folder, which leads to the job's own /tmp; no set-user-id, no devices. In /proc, /tmp and /var/tmp the job mounts its own:
// until then the machine's are there.
struct MountView {
  base::Fd mounts;  // the mount namespace
  base::Fd users;   // the user namespace that owns it; absent when privileged
  // The machine's own /tmp and /var/tmp in that namespace, reached from below what a job mounts on them. Absent where there is
  // none.
  base::Fd machine_tmp;
  base::Fd machine_var_tmp;
  base::Fd accounts;  // a folder in that namespace for the files of OwnerAccounts, out of the jobs' sight
};

// Forks a process that makes the view, and waits for it. Errors name the step: "making the jobs' file system: mounting /dev: …". To
// be called in a process with one thread.
base::Result<MountView> MakeMountView(const ViewOptions& options);

}  // namespace jobd::sandbox
