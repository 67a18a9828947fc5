// The life of one attempt, inside its shim: from the claimed slot to the exit record.
#pragma once

#include <poll.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "launch/shim/assignment.h"
#include "launch/shim/capture.h"
#include "launch/shim/exit_slot.h"
#include "launch/shim/job_log.h"
#include "launch/shim/shim.h"
#include "launch/shim/spawn.h"
#include "launch/shim/stop_schedule.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/isolation/init_process.h"

namespace jobd::launch {

// One run at a time, in a process of its own with one thread and all signals blocked.
class JobRun {
 public:
  // All arguments are borrowed and outlive the run. `profile` is the one the job names; `batch_dir` is the batch's folder.
  JobRun(const ShimContext& context, const Assignment& job, const sandbox::Profile& profile, int batch_dir, ExitSlot& slot);

  // Starts the job, records it and returns when ENDED is written, or cannot be.
  void Run();
  // After Run: nothing of the job is left in this process, which is as it was before. To be called at most once.
  bool Clean();

 private:
  base::Status Start();
  void Loop();
  // Sleeps until a source is ready: true; or something is due by time, which is then done: false.
  bool Wait(std::span<pollfd> sources);
  void OnReport();
  void OnSignals();
  // Sends a signal to the job's process group, now or in a moment.
  void Forward(int signal);
  void ForwardAgain();
  void Stop();
  void End();
  void EmptyGroup();
  void CollectUsage(const sandbox::GroupUsage& group);
  // A step that failed before the program ran.
  base::Status Failed(Step step, base::Error error);

  const ShimContext& context_;
  const uint32_t serial_;
  const LaunchRequest& request_;
  const Identity& identity_;
  const sandbox::Profile& profile_;
  ExitSlot& slot_;
  base::SystemClock clock_;
  SlotRecord record_;
  struct Unsent {
    int signal = 0;
    int failures = 1;
  };
  std::vector<Unsent> unsent_;  // signals for the job that could not be sent
  base::Nanos send_again_at_ = 0;
  StopSchedule schedule_;
  JobLog log_;
  std::optional<Capture> capture_;
  std::unique_ptr<sandbox::JobGroup> group_;
  sandbox::InitProcess init_;  // of the job's pid namespace, if it has one
  pid_t pid_ = 0;
  base::Fd pidfd_;
  base::Fd report_;
  SpawnPlan plan_;  // what the job's process uses until it has executed its program
  base::Fd signals_;
  base::Nanos started_ = 0;  // monotonic
  rusage usage_{};           // of the job's first process, and of those it waited for
  bool removed_ = true;      // the job's group, if it had one
  // Somebody had SIGKILL sent to the job before it was to end for another reason: see kKilledFirst.
  bool killed_first_ = false;
  bool settled_ = false;  // what starting took has been given back
};

}  // namespace jobd::launch
