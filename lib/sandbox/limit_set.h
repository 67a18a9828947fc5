// Which file of which controller enforces a limit, and which one tells that it was hit: the difference between cgroup v1 and v2.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/job_group.h"

namespace jobd::sandbox {

enum class Controller { kMemory, kCpu, kPids };
inline constexpr Controller kControllers[] = {Controller::kMemory, Controller::kCpu, Controller::kPids};

// "memory", "cpu", "pids": the same in v1 and v2.
const char* ControllerName(Controller controller);

// True when `limits` ask for something this controller does.
bool Wanted(Controller controller, const GroupLimits& limits);

// Writes this controller's limit into the group in `dir` (borrowed), in the files of cgroup v2.
base::Status ApplyV2(int dir, Controller controller, const GroupLimits& limits);
base::Status ApplyV1(int dir, Controller controller, const GroupLimits& limits);

// Adds what this controller counted to `usage`.
void ReadUsageV2(int dir, Controller controller, GroupUsage& usage);
void ReadUsageV1(int dir, Controller controller, GroupUsage& usage);

}  // namespace jobd::sandbox
