// What jobs must not see or change, taken out of a view while that is made. Private to view_builder.cc.
#pragma once

#include "base/result.h"
#include "sandbox/isolation/mount_view.h"

namespace jobd::sandbox {

// In this order: the home becomes read-only; folders above what is hidden that a job could rename are mounted on themselves, which
// the kernel lets nobody rename; folders that are to be emptied show their folders and no file; hidden paths show nothing. /dev
// must be the view's own already.
base::Status HideFrom(const ViewOptions& options);

}  // namespace jobd::sandbox
