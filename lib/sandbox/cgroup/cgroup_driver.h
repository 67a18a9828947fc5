// The drivers with cgroups.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "sandbox/cgroup/kernel_group.h"

namespace jobd::sandbox {

// A root for tracking, and a place for each controller that can limit. `missing` holds the limits that cannot be had, and why.
class CgroupDriver final : public GroupDriver {
 public:
  struct Missing {
    Limit limit;
    std::string why;
  };
  // Adds every limit of `controller`.
  static void AddMissing(std::vector<Missing>& missing, Controller controller, const std::string& why);

  CgroupDriver(std::string_view name, std::string where, base::Fd root, std::vector<LimitRoot> limits, std::vector<Missing> missing,
               std::vector<GroupHierarchy> hierarchies = {});

  std::string_view name() const override { return name_; }
  std::vector<Capability> capabilities() const override;
  GroupLayout layout() const override { return hierarchies_.empty() ? GroupLayout::kV2 : GroupLayout::kV1; }
  std::vector<GroupHierarchy> hierarchies() const override { return hierarchies_; }
  base::Status Check(const GroupLimits& limits) const override;
  base::Result<std::unique_ptr<JobGroup>> Create(const std::string& name, const GroupLimits& limits) override;
  base::Result<std::unique_ptr<JobGroup>> Open(const std::string& name) override;
  base::Result<std::vector<std::string>> List() override;
  base::Result<ProcessesByGroup> ProcessesOf(const std::vector<std::string>& names) override;
  void RemoveRoot() override;
  std::vector<int> fds() const override;

 private:
  std::string_view name_;
  std::string where_;  // the root's path
  base::Fd root_;
  std::vector<LimitRoot> limits_;
  std::vector<Missing> missing_;
  std::vector<GroupHierarchy> hierarchies_;  // none: pure v2
  bool can_be_born_into_;
};

// Tries whether a process can be born into a fresh group below `root` (borrowed). It should be: joining afterwards takes a lock of
// the whole system and waits for all processors (some ms, measured). But since Linux 6.14 a process cloned by one whose own group
// was once killed by cgroup.kill is killed at birth, as the kernel compares the kill counts of two different groups.
bool CanBeBornInto(int root);

// For want of something that comes back, which says nothing of what this machine can do.
inline bool IsPassing(const base::Error& error) { return error.code() == base::Code::kResourceExhausted; }

// Pure cgroup v2: groups below a root of our own that has the controllers delegated to it. kFailedPrecondition where that is not
// so; IsPassing where it is not known. So the next.
base::Result<std::unique_ptr<GroupDriver>> TryCgroupV2(const std::string& tag);

// The hybrid layout: /sys/fs/cgroup/unified tracks, the controllers of v1 beside it limit.
base::Result<std::unique_ptr<GroupDriver>> TryCgroupHybrid(const std::string& tag);

}  // namespace jobd::sandbox
