#include "launch/launcher/adoption.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

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
  return base::OpenBeneath(context.log_dir, frame.owner + "/" + frame.correlation_id + "/" + kExitFileName, O_RDWR | O_NOFOLLOW);
}

}  // namespace

base::Result<FoundShim> FindShim(const ShimContext& context, const Watch& frame) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd exits, OpenExits(context, frame));
  FoundShim found;
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> holder, SlotHolder(exits.get(), frame.key.index));
  if (!holder || *holder <= 0) return found;
  base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *holder, 0)));
  if (!pidfd && errno == ESRCH) return found;
  if (!pidfd) return base::SysError("taking hold of a shim", errno);
  JOBD_ASSIGN_OR_RETURN(const std::optional<int> still, SlotHolder(exits.get(), frame.key.index));
  if (still != holder) return found;
  found.pid = *holder;
  found.pidfd = std::move(pidfd);
  if (const auto slot = ReadSlot(exits.get(), frame.key.index); slot.ok() && slot->job_pid != 0) {
    found.job_uid = sandbox::UidOf(static_cast<pid_t>(slot->job_pid));
  }
  return found;
}

}  // namespace jobd::launch
