// What /proc says about processes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace jobd::test {

// True while a process of this pid exists and is no zombie.
bool ProcessLives(pid_t pid);
// Processes of this name (as in /proc/PID/status) that `parent` started.
std::vector<pid_t> ChildrenNamed(pid_t parent, const std::string& name);
// True while a process runs the program of this path.
bool AnyProcessRuns(const std::string& path);

}  // namespace jobd::test
