#include <poll.h>

#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::sandbox {

std::string GroupName(uint64_t batch, uint32_t index, uint32_t attempt) {
  return "job-" + std::to_string(batch) + "-" + std::to_string(index) + "-" + std::to_string(attempt);
}

namespace {

constexpr int kTries = 20;
constexpr int kTryAgainMillis = 50;

base::Result<std::unique_ptr<GroupDriver>> DetectOnce(const std::string& tag) {
  auto v2 = TryCgroupV2(tag);
  if (v2.ok() || IsPassing(v2.error())) return v2;
  auto hybrid = TryCgroupHybrid(tag);
  if (hybrid.ok() || IsPassing(hybrid.error())) return hybrid;
  return MakeProcessTreeDriver(tag, v2.error().message() + "; " + hybrid.error().message());
}

}  // namespace

// The choice is for the life of the launcher and of its jobs: it is not made by what was short for a moment.
base::Result<std::unique_ptr<GroupDriver>> DetectGroupDriver(const std::string& tag) {
  for (int tried = 1;; ++tried) {
    auto detected = DetectOnce(tag);
    if (detected.ok() || tried == kTries) return detected;
    (void)::poll(nullptr, 0, kTryAgainMillis);
  }
}

}  // namespace jobd::sandbox
