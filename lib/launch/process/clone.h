// New processes, held by a descriptor from their birth. For processes with one thread: clone3(2) runs no atfork handlers. The
// parent gets SIGCHLD at the child's end and must reap it. Errors carry errno; EAGAIN and ENOMEM are the machine's state.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::launch {

struct Cloned {
  pid_t pid = 0;   // 0 in the child
  base::Fd pidfd;  // in the parent
};

// As fork(2) makes it. With cgroup (borrowed; -1: none) the child is born in that group, see sandbox::JobGroup::birth_fd.
base::Result<Cloned> CloneProcess(int cgroup = -1);

// True when a child may share our memory until it executes a program, which saves copying page tables and pages, a tenth of what a
// short job costs. Only where fs.suid_dumpable is 0: else the kernel would let others trace such a child once it has changed its
// user, and they would get hold of us (1), or, before 5.16, end us together with a child that is dumped (2). Nor under a sanitizer,
// which knows nothing of its stack. `setting` is from OpenSharingSetting, and is read each time: an administrator may change it.
bool CanShareMemory(int setting);
// None where memory is never shared.
base::Fd OpenSharingSetting();

// As CloneProcess, but the child shares our memory, until it executes a program or ends, and begins in `main`, which does not
// return, with a stack of its own. Unlike after vfork(2) we go on at the same time. `stack` and what `main` reads are borrowed that
// long. The child must neither allocate nor lock, and its errno is ours too: until it is done, both sides may look at errno only
// where they do not depend on it.
base::Result<Cloned> CloneSharing(int cgroup, std::span<std::byte> stack, void (*main)(const void* argument) noexcept,
                                  const void* argument);

}  // namespace jobd::launch
