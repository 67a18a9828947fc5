#include "launch/contract/start_fault.h"

#include <cerrno>

namespace jobd::launch {

namespace {

// The kernel's ENOTSUPP, which no header for programs has: seccomp(2) gives it when the memory for compiled filters
// (net.core.bpf_jit_limit) is used up by all of the machine's.
constexpr int kNoRoomForFilter = 524;

// ENOSPC and EUSERS are also for namespaces and groups when there are too many (namespaces(7), cgroups(7)).
bool IsShortage(int error) {
  switch (error) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EUSERS: return true;
    default: return false;
  }
}

}  // namespace

bool StartMayPass(Step step, int errno_value, bool memory_limit_hit) {
  // What is taken in the job's group is on its account.
  const bool own_memory = errno_value == ENOMEM && memory_limit_hit;
  switch (step) {
    case Step::kNone:
    case Step::kCount: return false;
    case Step::kLock:
    case Step::kExitRecord: return IsShortage(errno_value) || errno_value == EROFS;
    case Step::kFork:
    case Step::kStdin:
    case Step::kPipes:
    case Step::kCgroup:
    // The job's own limit of processes cannot be it: its first process finds the group empty.
    case Step::kClone:
    case Step::kEnterCgroup: return IsShortage(errno_value);
    case Step::kSession:
    case Step::kDescriptors:
    case Step::kLimits:
    case Step::kNamespaces:
    // Nothing is written yet to the /tmp that is mounted.
    case Step::kMounts:
    case Step::kUser:
    case Step::kPrivileges:
    case Step::kLandlock: return IsShortage(errno_value) && !own_memory;
    case Step::kSeccomp: return (IsShortage(errno_value) || errno_value == kNoRoomForFilter) && !own_memory;
    // Room is the job's own /tmp's, in which the way to the folder is made, or the folder's file system.
    case Step::kWorkdir: return errno_value == EMFILE || errno_value == ENFILE || (errno_value == ENOMEM && !own_memory);
    // Its limits of memory, descriptors and processes hold by now: of all that is short, only the table of open files is the
    // machine's alone.
    case Step::kExec: return errno_value == ENFILE;
  }
  return false;
}

}  // namespace jobd::launch
