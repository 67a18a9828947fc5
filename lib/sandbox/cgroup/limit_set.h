// Which file of which controller enforces a limit, and which one tells that it was hit: the difference between cgroup v1 and v2.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::sandbox {

enum class Controller { kMemory, kCpu, kPids, kIo };
inline constexpr Controller kControllers[] = {Controller::kMemory, Controller::kCpu, Controller::kPids, Controller::kIo};

// "memory", "cpu", "pids", "io": as cgroup v2 has it.
const char* ControllerName(Controller controller);
// As cgroup v1 has it: "blkio" for "io".
const char* ControllerNameV1(Controller controller);

// The limits, each enforced by one controller.
enum class Limit { kMemory, kCpu, kPids, kIoRead, kIoWrite };
inline constexpr Limit kLimits[] = {Limit::kMemory, Limit::kCpu, Limit::kPids, Limit::kIoRead, Limit::kIoWrite};

Controller ControllerOf(Limit limit);
// "memory limit", …, "io write limit".
const char* LimitName(Limit limit);

// True when `limits` ask for it, and when they ask for something this controller does.
bool Wanted(Limit limit, const GroupLimits& limits);
bool Wanted(Controller controller, const GroupLimits& limits);

// Writes this controller's limit into the group in `dir` (borrowed), in the files of cgroup v2.
base::Status ApplyV2(int dir, Controller controller, const GroupLimits& limits);
base::Status ApplyV1(int dir, Controller controller, const GroupLimits& limits);

// Adds what this controller counted to `usage`.
void ReadUsageV2(int dir, Controller controller, GroupUsage& usage);
void ReadUsageV1(int dir, Controller controller, GroupUsage& usage);

}  // namespace jobd::sandbox
