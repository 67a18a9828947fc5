// A new process as fork(2) makes it, held by a descriptor from its birth.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::launch {

struct Cloned {
  pid_t pid = 0;   // 0 in the child
  base::Fd pidfd;  // in the parent
};

// For processes with one thread: clone3(2) runs no atfork handlers. The parent gets SIGCHLD at the child's end and must reap it.
// Errors carry errno; EAGAIN and ENOMEM are the machine's state.
// With cgroup (borrowed; -1: none) the child is born in that group, see sandbox::JobGroup::birth_fd.
base::Result<Cloned> CloneProcess(int cgroup = -1);

}  // namespace jobd::launch
