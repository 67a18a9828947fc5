// The shim: the process beside an attempt of a job, forked from the launcher without exec. It starts the job, owns its pipes, log
// files, deadline and exit record, and outlives jobd and jobd-server. When the job is over it can be given another: forking and
// ending a process costs more than all the rest that a shim does for a short job. Its contract is in contract/FORMAT.md.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/fd.h"
#include "launch/contract/launch_request.h"
#include "launch/process/file_owner.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/isolation/isolation.h"
#include "sandbox/rules/profile.h"

namespace jobd::launch {

struct Assignment;

// The user a job runs as.
struct Identity {
  bool switch_user = false;  // else: our own user
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  // What /etc/passwd of the job's view is to name: a sandbox::AccountKey. Empty: nothing that the machine's does not.
  std::string account;
  // The way to the working directory may not lead over symbolic links: its owner was allowed certain folders.
  bool workdir_without_links = false;
};

// Where the texts of a process's command line are in its memory, which /proc/PID/cmdline shows to everybody.
struct CommandLine {
  char* begin = nullptr;
  size_t size = 0;
};
// Of this process, by proc_pid_stat(5). Empty where that cannot be seen.
CommandLine FindCommandLine();

// What a shim needs of its launcher. Borrowed: valid in the forked child, which is the launcher's image.
struct ShimContext {
  int log_dir = -1;
  FileOwner log_owner;
  sandbox::GroupDriver* driver = nullptr;
  sandbox::Isolation* isolation = nullptr;
  std::string default_workdir;
  uint64_t boot = 0;                 // BootTag()
  std::vector<int> ignored_signals;  // those that a child of ours would inherit as ignored
  rlimit job_files{};                // RLIMIT_NOFILE of jobs: the one jobd was started with
  int sharing_setting = -1;          // OpenSharingSetting()
  CommandLine command_line;          // jobd's: what stands beside a job is seen by it as a process of its own
};

// The part of the limits that holds for all processes of a job together.
sandbox::GroupLimits GroupLimitsOf(const JobLimits& limits);

// The launcher steers a shim by these signals, each with a value (sigqueue(3), pidfd_send_signal(2)). The lower half of the value
// is as said below. The upper half is the serial of the job that is meant; 0, from a launcher that did not give the shim its job,
// means whichever it has. The numbers are fixed, not offsets from SIGRTMIN, as shims outlive the launcher that forked them.
inline constexpr int kCancelSignal = 40;   // value: grace in milliseconds
inline constexpr int kForwardSignal = 41;  // value: the signal for the job's process group
// Value: a signal that the launcher has delivered, as we hung, and that waits as a kForwardSignal with this: it is not delivered
// again. Comes before those, for its number is lower (signal(7)).
inline constexpr int kDeliveredSignal = 39;
// Added to that value of SIGKILL: nothing else had been asked of the job by then, and its time was not over. So that is how it
// ended, whatever we are asked for meanwhile.
inline constexpr int kKilledFirst = 0x100;

// A shim's answer when it is done with an attempt, on its channel or as its exit status. 0: the exit record tells. Any other value
// is the errno of claiming the exit slot: the attempt has not begun, and there is no record. EEXIST: it has begun before.
inline constexpr int kShimRecorded = 0;

// Runs the whole life of the job, and of those that come through `channel` (which may be closed) after it, then ends the process.
// To be called in a child forked from the launcher, with all signals blocked.
[[noreturn]] void RunShim(const ShimContext& context, const sandbox::Profiles& profiles, Assignment job, base::Fd channel);

}  // namespace jobd::launch
