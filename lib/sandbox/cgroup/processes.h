// Looking at processes through /proc, and signalling exactly the one that was looked at.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace jobd::sandbox {

// Every process that can be seen, with its parent. A moment's picture.
std::unordered_map<pid_t, pid_t> ParentsOfAll();

// All descendants of `root` in that picture, not itself.
std::vector<pid_t> DescendantsOf(pid_t root, const std::unordered_map<pid_t, pid_t>& parents);

// The parent of one process now.
std::optional<pid_t> ParentOf(pid_t pid);

// Its process group, by the number of the leader.
std::optional<pid_t> ProcessGroupOf(pid_t pid);

// Its real uid.
std::optional<uid_t> UidOf(pid_t pid);

// Takes hold of `pid` (pidfd_open), asks whether the process so held is still the one meant, and only then sends the signal: a
// reused pid is never hit. True when it was sent.
bool SignalIfStill(pid_t pid, int signal, const std::function<bool(pid_t)>& is_meant);

}  // namespace jobd::sandbox
