#include "worker/model/model.h"

#include <array>
#include <string_view>

namespace jobd::worker {

std::string_view StateName(JobState state) {
  static constexpr std::array<std::string_view, kJobStates> kNames = {
      "",          "QUEUED", "HELD",      "SCHEDULED", "STARTING",   "RUNNING", "STOPPING",
      "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "OOM_KILLED", "LOST"};
  const auto number = static_cast<size_t>(state);
  return number < kNames.size() ? kNames[number] : std::string_view();
}

}  // namespace jobd::worker
