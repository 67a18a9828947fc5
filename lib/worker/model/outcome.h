// What a shim recorded, turned into how the job ended.
#pragma once

#include "launch/contract/exit_file.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"

namespace jobd::worker {

// The bounds the attempt ran under, for the words of its reason.
struct Bounds {
  base::Nanos timeout = 0;
  launch::JobLimits limits;
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
// "changing to the working directory: No such file or directory".
Reason StartFailed(std::string_view step, int errno_value);

}  // namespace jobd::worker
