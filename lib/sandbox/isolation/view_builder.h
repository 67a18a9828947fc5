// Makes a MountView out of the calling process's own namespaces. Private to mount_view.cc.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "sandbox/isolation/mount_view.h"

namespace jobd::sandbox {

// Leaves the calling process in the new namespaces, with the view as its root. `uid` and `gid` are what the process is outside. On
// failure the process is of no use any more.
base::Status BuildView(const ViewOptions& options, uid_t uid, gid_t gid, MountView& view);

}  // namespace jobd::sandbox
