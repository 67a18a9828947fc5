// What a shim recorded, turned into how the job ended.
#pragma once

#include "launch/contract/exit_file.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"

namespace jobd::worker {

// What the attempt ran under, and as, for the words of its reason.
struct Bounds {
  base::Nanos timeout = 0;
  launch::JobLimits limits;
  std::string program;  // empty: the shell
  std::string workdir;  // empty: the profile's
};

// `asked` is why the job was told to end, if it was (kNone otherwise): it becomes the reason when the record says that this is what
// ended it. Record must be of phase kEnded. Pure.
Outcome OutcomeOf(const launch::SlotRecord& record, const Reason& asked, const Bounds& bounds);

// `row` with everything else the record tells: times, usage, bytes.
JobRow WithRecord(JobRow row, const launch::SlotRecord& record);

// "cancelled by NAME: reason"; without either part where it is empty.
Reason CancelledByUser(const std::string& by, const std::string& detail);
Reason CancelledByStop(const std::string& by);
// `index`: the job that did not succeed.
Reason FailFast(uint32_t index);
Reason ShimDied();
Reason HostRestarted();
Reason RecordDamaged();
Reason RecordMissing();
Reason Refused(const std::string& text);
// "entering the cgroup: Permission denied"; where the step is about something of the job's, that is named: "no-such-program: No
// such file or directory in the job's PATH".
Reason StartFailed(std::string_view step, int errno_value, const Bounds& as = {});

}  // namespace jobd::worker
