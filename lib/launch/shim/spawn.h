// Making the job's process: everything the child needs is computed here, before the clone.
#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "launch/contract/step.h"
#include "launch/shim/shim.h"

namespace jobd::launch {

// The paths to try for a command, as execvpe(3) does: itself when it has a slash, else one below each entry of PATH.
std::vector<std::string> ProgramCandidates(const std::string& command, std::string_view path);

// "NAME=value" for each variable of the request, the last one of a name winning, and those of the job itself: JOBD_JOB_ID,
// JOBD_BATCH_ID, JOBD_INDEX, JOBD_ATTEMPT; and the mark of its group, if that has one.
std::vector<std::string> JobEnvironment(const LaunchRequest& request, const std::string& mark);

// Standard input: /dev/null, or a sealed memfd of its own with the bytes.
base::Result<base::Fd> MakeStdin(const std::string& data);

// Everything that the child reads, and its stack.
struct SpawnMemory;
struct DeleteSpawnMemory {
  void operator()(SpawnMemory* memory) const;
};
using SpawnPlan = std::unique_ptr<SpawnMemory, DeleteSpawnMemory>;

struct Spawned {
  pid_t pid = 0;
  base::Fd pidfd;
  base::Fd report;  // a ChildReport when a step failed, end of file when the program was executed
  SpawnPlan plan;   // to be kept until the program was executed or the process is gone
};

struct SpawnFds {
  int in = -1;
  int out = -1;
  int err = -1;
};

// Clones the child, which sets itself up and executes the program. Where the profile has namespaces, our children are born in the
// job's pid namespace already. `stdio` may go afterwards; the other arguments are borrowed as long as
// the plan is kept.
base::Result<Spawned> Spawn(const ShimContext& context, const LaunchRequest& request, const Identity& identity,
                            const sandbox::Profile& profile, const sandbox::JobGroup& group, SpawnFds stdio);

}  // namespace jobd::launch
