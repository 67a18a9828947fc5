#include "launch/process/file_owner.h"

#include <sys/fsuid.h>
#include <unistd.h>

namespace jobd::launch {

// setfsuid(2) tells no errors; privileged callers have none. The kernel drops the file system capabilities while fsuid is not 0.
ScopedFsCredentials::ScopedFsCredentials(const FileOwner& owner)
    : switched_(owner.switch_user), uid_(::geteuid()), gid_(::getegid()) {
  if (!switched_) return;
  ::setfsgid(owner.gid);
  ::setfsuid(owner.uid);
}

ScopedFsCredentials::~ScopedFsCredentials() {
  if (!switched_) return;
  ::setfsuid(uid_);
  ::setfsgid(gid_);
}

}  // namespace jobd::launch
