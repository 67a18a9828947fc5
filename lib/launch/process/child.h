// The child between clone and exec. Its plan is plain data prepared before; the code in child.cc makes system calls and nothing
// else: no allocation, no locks, no calls into other files but those of isolation_plan.h, which keep to the same rules.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "sandbox/isolation/isolation_plan.h"

namespace jobd::launch {

// One resource limit, as for setrlimit(2).
struct ChildLimit {
  int resource;
  rlimit value;
  bool late = false;  // after what setting the job up takes of it itself
};

// Pointers are borrowed and must stay valid until exec. Descriptors are the child's copies of the parent's, all above 2 and
// close-on-exec.
struct ChildPlan {
  pid_t parent = 0;               // the shim, as getppid(2) tells it (0 from a pid namespace): when it is gone, the child ends
  int report_fd = -1;             // where a failed step is told
  const int* join_fds = nullptr;  // each is written "0": enters the job's cgroups
  size_t join_count = 0;
  const int* ignored_signals = nullptr;  // to be set back to their defaults; the others have them at exec anyway
  size_t ignored_count = 0;
  int stdio[3] = {-1, -1, -1};  // become 0, 1 and 2
  const ChildLimit* limits = nullptr;
  size_t limit_count = 0;
  bool switch_user = false;  // needs CAP_SETUID and CAP_SETGID
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  size_t group_count = 0;
  const sandbox::IsolationPlan* isolation = nullptr;  // never nullptr in use; its defaults isolate nothing
  const char* workdir = nullptr;
  bool workdir_without_links = false;     // no part of it may be a symbolic link
  const char* const* programs = nullptr;  // paths to try, in order; ends with nullptr
  char* const* argv = nullptr;
  char* const* environment = nullptr;
};

// Written to report_fd when a step failed; exec closes it without a word.
struct ChildReport {
  uint16_t step = 0;  // Step
  uint16_t reserved = 0;
  int32_t error = 0;  // errno
};

// Never returns: executes the program or reports {step, errno} and exits. To be called in a freshly cloned process with all signals
// blocked.
[[noreturn]] void RunChild(const ChildPlan& plan) noexcept;

}  // namespace jobd::launch
