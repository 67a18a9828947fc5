// The life of one attempt, inside its shim: from the claimed slot to the exit record.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <array>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/fd.h"
#include "launch/capture.h"
#include "launch/exit_slot.h"
#include "launch/job_log.h"
#include "launch/shim.h"
#include "launch/stop_schedule.h"
#include "sandbox/init_process.h"
#include "sandbox/job_group.h"

namespace jobd::launch {

// Used once, in a process of its own with all signals blocked.
class JobRun {
 public:
  // All arguments are borrowed and outlive the run. `batch_dir` is the batch's folder.
  JobRun(const ShimContext& context, const LaunchRequest& request, const Identity& identity, const sandbox::Profile& profile,
         int batch_dir, ExitSlot& slot);

  // Starts the job, records it and returns when ENDED is written, or cannot be.
  void Run();

 private:
  base::Status Start();
  void Loop();
  // Sleeps until a source is ready: true; or something is due by time, which is then done: false.
  bool Wait(std::span<pollfd> sources);
  void OnReport();
  void OnSignals();
  void Stop();
  void End();
  void EmptyGroup();
  void CollectUsage(const sandbox::GroupUsage& group);
  // A step that failed before the program ran.
  base::Status Failed(Step step, base::Error error);

  const ShimContext& context_;
  const LaunchRequest& request_;
  const Identity& identity_;
  const sandbox::Profile& profile_;
  ExitSlot& slot_;
  base::SystemClock clock_;
  SlotRecord record_;
  StopSchedule schedule_;
  JobLog log_;
  std::optional<Capture> capture_;
  std::unique_ptr<sandbox::JobGroup> group_;
  sandbox::InitProcess init_;  // of the job's pid namespace, if it has one
  pid_t pid_ = 0;
  base::Fd pidfd_;
  base::Fd report_;
  base::Fd signals_;
  base::Nanos started_ = 0;  // monotonic
  bool settled_ = false;     // what starting took has been given back
};

}  // namespace jobd::launch
