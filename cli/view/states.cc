#include "cli/view/states.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "cli/view/suggest.h"

namespace jobd::cli {

namespace {

constexpr std::string_view kStatePrefix = "JOB_STATE_";
constexpr std::string_view kReasonPrefix = "REASON_CODE_";
constexpr std::string_view kWaitPrefix = "WAIT_CODE_";

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

std::string StateName(v1::JobState state) {
  const std::string& name = v1::JobState_Name(state);
  if (name.size() <= kStatePrefix.size() || state == v1::JOB_STATE_UNSPECIFIED) return "UNKNOWN";
  return name.substr(kStatePrefix.size());
}

std::string ReasonName(v1::ReasonCode code) {
  const std::string& name = v1::ReasonCode_Name(code);
  if (code == v1::REASON_CODE_UNSPECIFIED) return "";
  return name.empty() ? "UNKNOWN" : name.substr(kReasonPrefix.size());
}

std::string WaitName(v1::WaitCode code) {
  const std::string& name = v1::WaitCode_Name(code);
  if (code == v1::WAIT_CODE_UNSPECIFIED) return "";
  return name.empty() ? "UNKNOWN" : name.substr(kWaitPrefix.size());
}

std::string PriorityName(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_LOW: return "low";
    case v1::PRIORITY_URGENT: return "urgent";
    default: return "normal";
  }
}

bool IsFinal(v1::JobState state) { return state >= v1::JOB_STATE_SUCCEEDED; }
bool IsFailure(v1::JobState state) { return state > v1::JOB_STATE_SUCCEEDED; }

uint32_t CountOf(const v1::Batch& batch, v1::JobState state) {
  uint32_t count = 0;
  for (const v1::StateCount& entry : batch.counts()) {
    if (entry.state() == state) count += entry.count();
  }
  return count;
}

std::vector<v1::JobState> FailureStates() {
  return {v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED, v1::JOB_STATE_TIMED_OUT, v1::JOB_STATE_OOM_KILLED, v1::JOB_STATE_LOST};
}

std::vector<v1::JobState> LiveStates() {
  return {v1::JOB_STATE_QUEUED,   v1::JOB_STATE_HELD,    v1::JOB_STATE_SCHEDULED,
          v1::JOB_STATE_STARTING, v1::JOB_STATE_RUNNING, v1::JOB_STATE_STOPPING};
}

std::vector<std::string> StateNames() {
  std::vector<std::string> names{"live", "unsuccessful"};
  for (int i = v1::JOB_STATE_QUEUED; i <= v1::JOB_STATE_LOST; ++i) names.push_back(Lower(StateName(static_cast<v1::JobState>(i))));
  return names;
}

base::Result<std::vector<v1::JobState>> ParseStates(std::string_view text) {
  const std::vector<std::string> names = StateNames();
  std::vector<v1::JobState> states;
  const auto add = [&states](const std::vector<v1::JobState>& more) { states.insert(states.end(), more.begin(), more.end()); };
  while (true) {
    const size_t comma = text.find(',');
    const std::string word = Lower(text.substr(0, comma));
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
      return base::Error(base::Code::kInvalidArgument, "there is no state '" + word + "'" + DidYouMean(word, names));
    }
    const auto position = found - names.begin();
    if (position == 0) {
      add(LiveStates());
    } else if (position == 1) {
      add(FailureStates());
    } else {
      states.push_back(static_cast<v1::JobState>(position - 1));
    }
    if (comma == std::string_view::npos) return states;
    text.remove_prefix(comma + 1);
  }
}

base::Result<v1::Priority> ParsePriority(std::string_view text) {
  const std::string word = Lower(text);
  if (word == "urgent") return v1::PRIORITY_URGENT;
  if (word == "normal") return v1::PRIORITY_NORMAL;
  if (word == "low") return v1::PRIORITY_LOW;
  return base::Error(base::Code::kInvalidArgument, "'" + word + "' is not a priority: urgent, normal or low");
}

}  // namespace jobd::cli
