// Looking at processes through /proc, and signalling exactly the one that was looked at.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace jobd::sandbox {

// All of these fail only when the machine cannot be asked now, for want of descriptors or memory. Then nothing is known: an error
// never means that a process is gone, or is another.

// The text of /proc/PID/NAME; absent when there is no such process, or it is none that we may look at.
base::Result<std::optional<std::string>> ReadOfProcess(pid_t pid, const char* name, size_t limit);

// Every process that can be seen, with its parent. A moment's picture.
base::Result<std::unordered_map<pid_t, pid_t>> ParentsOfAll();

// All descendants of `root` in that picture, not itself.
std::vector<pid_t> DescendantsOf(pid_t root, const std::unordered_map<pid_t, pid_t>& parents);

// The parent of one process now.
base::Result<std::optional<pid_t>> ParentOf(pid_t pid);

// Its process group, by the number of the leader.
base::Result<std::optional<pid_t>> ProcessGroupOf(pid_t pid);

// Of proc_pid_stat(5).
struct ProcessStat {
  char state = '\0';  // 'S', 'T', 'D', … ; 'Z': it has ended
  pid_t session = 0;
  uint64_t started = 0;  // ticks since the machine's start
};
base::Result<std::optional<ProcessStat>> StatOfProcess(pid_t pid);

// A thread of the process waits in the kernel, and cannot be killed before that is over: for a disk, as a rule. A moment's picture;
// false where nothing can be seen.
bool WaitsForDisk(pid_t pid);

// Its real uid.
base::Result<std::optional<uid_t>> UidOf(pid_t pid);

// A shim lives there, to go by its name: one that has died and only waits to be reaped does not. Others can call themselves so,
// too.
base::Result<bool> IsNamedShim(pid_t pid);

// Takes hold of `pid` (pidfd_open), asks whether the process so held is still the one meant, and only then sends the signal: a
// reused pid is never hit. True when it was sent; false when there is no such process any more. An error, too, when it could not be
// sent: whoever takes that for sent waits for an end that nothing brings about.
base::Result<bool> SignalIfStill(pid_t pid, int signal, const std::function<base::Result<bool>(pid_t)>& is_meant);

}  // namespace jobd::sandbox
