#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/job_group.h"

namespace jobd::sandbox {

std::string GroupName(uint64_t batch, uint32_t index, uint32_t attempt) {
  return "job-" + std::to_string(batch) + "-" + std::to_string(index) + "-" + std::to_string(attempt);
}

base::Result<std::unique_ptr<GroupDriver>> DetectGroupDriver(const std::string& tag) {
  auto v2 = TryCgroupV2(tag);
  if (v2.ok()) return v2;
  auto hybrid = TryCgroupHybrid(tag);
  if (hybrid.ok()) return hybrid;
  return MakeProcessTreeDriver(v2.error().message() + "; " + hybrid.error().message());
}

}  // namespace jobd::sandbox
