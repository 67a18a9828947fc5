// A job's group as kernel cgroups: one of cgroup v2 that tracks and kills, and for limits either the same one (pure v2) or one more
// for each controller of v1 that is asked for (hybrid).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/cgroup/limit_set.h"

namespace jobd::sandbox {

// Where one controller's groups are made.
struct LimitRoot {
  Controller controller;
  base::Fd dir;             // absent: in the tracking group itself
  std::string hierarchy{};  // of v1, as GroupHierarchy::name
};

class KernelGroup final : public JobGroup {
 public:
  // All descriptors are borrowed and outlive the group; `roots` are those of the limits asked for.
  // A process is born into the group when can_be_born_into (see CanBeBornInto), else it joins.
  static base::Result<std::unique_ptr<JobGroup>> Create(int root, const std::vector<LimitRoot>& roots, const std::string& name,
                                                        const GroupLimits& limits, bool can_be_born_into,
                                                        const std::vector<GroupHierarchy>& hierarchies);
  static base::Result<std::unique_ptr<JobGroup>> Open(int root, const std::vector<LimitRoot>& roots, const std::string& name);

  int birth_fd() const override { return can_be_born_into_ ? dir_.get() : -1; }
  const std::vector<int>& join_fds() const override { return join_fds_; }
  base::Status Signal(int signal) override;
  base::Status Kill() override;
  base::Status KillAndWait() override;
  base::Result<bool> Empty() override;
  base::Result<std::vector<pid_t>> Processes() override;
  int events_fd() const override { return events_.get(); }
  bool adopts_orphans() const override { return false; }
  std::vector<std::string> hierarchies() const override;
  GroupUsage Usage() override;
  base::Status Remove() override;

 private:
  struct Part {
    Controller controller;
    int root = -1;  // -1: the tracking group
    base::Fd dir;   // of v1
    std::string hierarchy{};
  };

  KernelGroup(int root, std::string name, base::Fd dir) : root_(root), name_(std::move(name)), dir_(std::move(dir)) {}
  base::Status AddPart(const LimitRoot& limit_root, const GroupLimits& limits);
  base::Status OpenJoin(int dir);
  base::Status Share(const GroupHierarchy& hierarchy);
  base::Status OpenEvents();

  int root_;
  std::string name_;
  base::Fd dir_;
  base::Fd events_;
  bool can_be_born_into_ = false;
  std::vector<Part> parts_;
  std::vector<base::Fd> joins_;
  std::vector<int> join_fds_;
  std::vector<std::string> shared_;  // hierarchies of which it is in the shared group
};

}  // namespace jobd::sandbox
