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

bool IsShim(pid_t pid) {
  const auto stat = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096);
  // "pid (jobd-shim) Z" is one that has died and only waits to be reaped. A job can call itself so, too, but as itself.
  const std::string shim = std::to_string(pid) + " (jobd-shim) ";
  return stat.ok() && stat->starts_with(shim) && (*stat)[shim.size()] != 'Z' && sandbox::UidOf(pid) == ::geteuid();
}

// The first process of a job's pid namespace has its shim's name, and is its child: the last one of them is meant.
std::optional<pid_t> ShimAbove(pid_t process, const std::vector<pid_t>& members) {
  std::optional<pid_t> shim;
  for (int depth = 0; depth < kDeepest; ++depth) {
    const auto parent = sandbox::ParentOf(process);
    if (!parent || *parent <= 1) return shim;
    const bool is_shim = IsShim(*parent) && std::find(members.begin(), members.end(), *parent) == members.end();
    if (!is_shim && shim) return shim;
    if (is_shim) shim = parent;
    process = *parent;
  }
  return std::nullopt;
}

}  // namespace

base::Result<FoundShim> FindShim(const ShimContext& context, const Watch& frame) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd exits, OpenExits(context, frame));
  FoundShim found;
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> holder, SlotHolder(exits.get(), frame.key.index));
  // The server owns the file, and could hold the lock itself: we signal shims alone.
  if (!holder || *holder <= 0 || !IsShim(*holder)) return found;
  base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *holder, 0)));
  if (!pidfd && errno == ESRCH) return found;
  if (!pidfd) return base::SysError("taking hold of a shim", errno);
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> still, SlotHolder(exits.get(), frame.key.index));
  if (still != holder) return found;
  found.pid = *holder;
  found.pidfd = std::move(pidfd);
  if (const auto slot = ReadSlot(exits.get(), frame.key.index); slot.ok() && slot->job_pid != 0) {
    found.job_uid = sandbox::UidOf(static_cast<pid_t>(slot->job_pid));
    found.deadline = slot->deadline;
    found.kill_after = slot->kill_after;
  }
  return found;
}

FoundShim FindShimOf(const ShimContext& context, const std::string& group) {
  const auto opened = context.driver->Open(group);
  if (!opened.ok()) return {};
  for (const pid_t process : (*opened)->Processes()) {
    const auto shim = ShimAbove(process, (*opened)->Processes());
    if (!shim) continue;
    FoundShim found{.pidfd = base::Fd(static_cast<int>(::syscall(SYS_pidfd_open, *shim, 0))), .pid = *shim};
    // Still: then what is held is the shim, and not a process that got its number.
    if (!found.pidfd || ShimAbove(process, (*opened)->Processes()) != shim) continue;
    if (const auto uid = sandbox::UidOf(process); uid && *uid != ::geteuid()) found.job_uid = uid;
    return found;
  }
  return {};
}

}  // namespace jobd::launch
