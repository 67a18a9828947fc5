#include "launch/launcher/adoption.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "launch/contract/exit_file.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::launch {

namespace {

base::Result<base::Fd> OpenExits(const ShimContext& context, const Watch& frame) {
  if (frame.key.index == 0 || !base::IsSafeName(frame.owner) || !base::IsSafeName(frame.correlation_id)) {
    return base::Error(base::Code::kInvalidArgument, "no safe name");
  }
  const ScopedFsCredentials acting(context.log_owner);
  return base::OpenBeneath(context.log_dir, frame.owner + "/" + frame.correlation_id + "/" + kExitFileName,
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

constexpr int kDeepest = 4096;

base::Result<bool> IsShim(pid_t pid) {
  JOBD_ASSIGN_OR_RETURN(const bool named, sandbox::IsNamedShim(pid));
  if (!named) return false;
  // A job can call itself so, too, but as itself.
  JOBD_ASSIGN_OR_RETURN(const auto uid, sandbox::UidOf(pid));
  return uid == ::geteuid();
}

// The first process of a job's pid namespace has its shim's name, and is its child: the last one of them is meant.
base::Result<std::optional<pid_t>> ShimAbove(pid_t process, const std::vector<pid_t>& members) {
  std::optional<pid_t> shim;
  for (int depth = 0; depth < kDeepest; ++depth) {
    JOBD_ASSIGN_OR_RETURN(const auto parent, sandbox::ParentOf(process));
    if (!parent || *parent <= 1) return shim;
    JOBD_ASSIGN_OR_RETURN(bool is_shim, IsShim(*parent));
    is_shim = is_shim && std::find(members.begin(), members.end(), *parent) == members.end();
    if (!is_shim && shim) return shim;
    if (is_shim) shim = parent;
    process = *parent;
  }
  return std::optional<pid_t>();
}

// Absent: it has ended.
base::Result<base::Fd> HoldShim(pid_t pid) {
  base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd && errno != ESRCH) return base::SysError("taking hold of a shim", errno);
  return pidfd;
}

}  // namespace

base::Result<FoundShim> FindShim(const ShimContext& context, const Watch& frame) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd exits, OpenExits(context, frame));
  FoundShim found;
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> holder, SlotHolder(exits.get(), frame.key.index));
  // The server owns the file, and could hold the lock itself: we signal shims alone.
  if (!holder || *holder <= 0) return found;
  JOBD_ASSIGN_OR_RETURN(const bool is_shim, IsShim(*holder));
  if (!is_shim) return found;
  JOBD_ASSIGN_OR_RETURN(base::Fd pidfd, HoldShim(*holder));
  if (!pidfd) return found;
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> still, SlotHolder(exits.get(), frame.key.index));
  if (still != holder) return found;
  found.pid = *holder;
  found.pidfd = std::move(pidfd);
  if (const auto slot = ReadSlot(exits.get(), frame.key.index); slot.ok() && slot->job_pid != 0) {
    JOBD_ASSIGN_OR_RETURN(found.job_uid, sandbox::UidOf(static_cast<pid_t>(slot->job_pid)));
    found.deadline = slot->deadline;
    found.kill_after = slot->kill_after;
  }
  return found;
}

base::Result<FoundShim> FindShimAbove(const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) {
    JOBD_ASSIGN_OR_RETURN(const auto shim, ShimAbove(process, processes));
    if (!shim) continue;
    FoundShim found{.pidfd = {}, .pid = *shim, .job_uid = {}};
    JOBD_ASSIGN_OR_RETURN(found.pidfd, HoldShim(*shim));
    if (!found.pidfd) continue;
    // Still: then what is held is the shim, and not a process that got its number.
    JOBD_ASSIGN_OR_RETURN(const auto still, ShimAbove(process, processes));
    if (still != shim) continue;
    JOBD_ASSIGN_OR_RETURN(const auto uid, sandbox::UidOf(process));
    if (uid && *uid != ::geteuid()) found.job_uid = uid;
    return found;
  }
  return FoundShim{};
}

}  // namespace jobd::launch
