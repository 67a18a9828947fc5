// The names of states and the like, as people type and read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

// "SUCCEEDED" for JOB_STATE_SUCCEEDED; "UNKNOWN" for a state this jobctl does not know.
std::string StateName(v1::JobState state);
// "EXITED" for REASON_CODE_EXITED; empty when there is none.
std::string ReasonName(v1::ReasonCode code);
// "SERVICE_SLOTS" for WAIT_CODE_SERVICE_SLOTS; empty when there is none.
std::string WaitName(v1::WaitCode code);
std::string PriorityName(v1::Priority priority);  // "normal"

bool IsFinal(v1::JobState state);
// Final, and not SUCCEEDED.
bool IsFailure(v1::JobState state);

// How many jobs of the batch are in that state.
uint32_t CountOf(const v1::Batch& batch, v1::JobState state);

// All final states but SUCCEEDED; all states that are not final.
std::vector<v1::JobState> FailureStates();
std::vector<v1::JobState> LiveStates();

// What ParseStates takes, in lower case.
std::vector<std::string> StateNames();
// States named by `text`, in any case, several with commas: "failed,lost"; also the groups "live" and "unsuccessful".
base::Result<std::vector<v1::JobState>> ParseStates(std::string_view text);
// "urgent", "normal", "low".
base::Result<v1::Priority> ParsePriority(std::string_view text);

}  // namespace jobd::cli
