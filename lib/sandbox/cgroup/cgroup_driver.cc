#include "sandbox/cgroup/cgroup_driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/files.h"

namespace jobd::sandbox {

CgroupDriver::CgroupDriver(std::string_view name, std::string where, base::Fd root, std::vector<LimitRoot> limits,
                           std::vector<Missing> missing, std::vector<GroupHierarchy> hierarchies)
    : name_(name),
      where_(std::move(where)),
      root_(std::move(root)),
      limits_(std::move(limits)),
      missing_(std::move(missing)),
      hierarchies_(std::move(hierarchies)),
      can_be_born_into_(CanBeBornInto(root_.get())) {}

std::vector<Capability> CgroupDriver::capabilities() const {
  std::vector<Capability> all{{"cgroup", true, std::string(name_) + ", at " + where_}};
  for (const Limit limit : kLimits) {
    const auto missing = std::find_if(missing_.begin(), missing_.end(), [&](const Missing& m) { return m.limit == limit; });
    const bool available = missing == missing_.end();
    const bool v1 = std::any_of(limits_.begin(), limits_.end(), [](const LimitRoot& root) { return static_cast<bool>(root.dir); });
    all.push_back({LimitName(limit), available, available ? (v1 ? "cgroup v1" : "cgroup v2") : missing->why});
  }
  return all;
}

void CgroupDriver::AddMissing(std::vector<Missing>& missing, Controller controller, const std::string& why) {
  for (const Limit limit : kLimits) {
    if (ControllerOf(limit) == controller) missing.push_back({limit, why});
  }
}

base::Status CgroupDriver::Check(const GroupLimits& limits) const {
  for (const Missing& missing : missing_) {
    if (!Wanted(missing.limit, limits)) continue;
    return base::Error(base::Code::kFailedPrecondition,
                       std::string("the ") + LimitName(missing.limit) + " cannot be enforced here: " + missing.why);
  }
  return base::Ok();
}

base::Result<std::unique_ptr<JobGroup>> CgroupDriver::Create(const std::string& name, const GroupLimits& limits) {
  return KernelGroup::Create(root_.get(), limits_, name, limits, can_be_born_into_, hierarchies_);
}

base::Result<std::unique_ptr<JobGroup>> CgroupDriver::Open(const std::string& name) {
  return KernelGroup::Open(root_.get(), limits_, name);
}

base::Result<std::vector<std::string>> CgroupDriver::List() {
  std::vector<std::string> names;
  JOBD_ASSIGN_OR_RETURN(base::Fd again, base::OpenAt(root_.get(), ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(again.get()), [](DIR* open) { return open ? ::closedir(open) : 0; });
  if (dir == nullptr) return base::SysError("listing the groups of jobs", errno);
  (void)again.release();
  for (errno = 0; const dirent* entry = ::readdir(dir.get()); errno = 0) {
    if (entry->d_type == DT_DIR && std::string_view(entry->d_name).starts_with("job-")) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return base::SysError("listing the groups of jobs", errno);
  return names;
}

base::Result<GroupDriver::ProcessesByGroup> CgroupDriver::ProcessesOf(const std::vector<std::string>& names) {
  ProcessesByGroup all;
  for (const std::string& name : names) {
    const auto group = Open(name);
    if (!group.ok() && group.error().code() == base::Code::kNotFound) continue;
    if (!group.ok()) return group.error();
    JOBD_ASSIGN_OR_RETURN(std::vector<pid_t> processes, (*group)->Processes());
    all.emplace(name, std::move(processes));
  }
  return all;
}

void CgroupDriver::RemoveRoot() {
  const std::string name = where_.substr(where_.rfind('/') + 1);
  for (const GroupHierarchy& hierarchy : hierarchies_) {
    if (!hierarchy.shared_group.empty()) ::rmdir(hierarchy.shared_group.c_str());
  }
  for (const LimitRoot& limit : limits_) {
    if (limit.dir) ::rmdir((std::string("/sys/fs/cgroup/") + ControllerNameV1(limit.controller) + "/" + name).c_str());
  }
  ::rmdir(where_.c_str());
}

std::vector<int> CgroupDriver::fds() const {
  std::vector<int> all{root_.get()};
  for (const LimitRoot& limit : limits_) {
    if (limit.dir) all.push_back(limit.dir.get());
  }
  return all;
}

}  // namespace jobd::sandbox
