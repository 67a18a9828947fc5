#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "base/files.h"
#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/control_file.h"

namespace jobd::sandbox {

namespace {

constexpr const char* kUnified = "/sys/fs/cgroup/unified";
constexpr const char* kTop = "/sys/fs/cgroup/";

base::Result<base::Fd> MakeRoot(const std::string& mount, const std::string& tag) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
  return MakeGroupDir(dir.get(), tag, false);
}

// "cpu,cpuacct" of "cpu" where these are one hierarchy; nothing where there is none.
std::string HierarchyOf(const std::string& controller) {
  std::error_code error;
  const auto real = std::filesystem::canonical(std::string(kTop) + controller, error);
  return error ? "" : real.filename().string();
}

// Without processors and nodes of its own no process may enter a group of cpuset.
base::Status FillCpuset(const std::string& group) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, group, O_RDONLY | O_DIRECTORY));
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    JOBD_ASSIGN_OR_RETURN(const std::string all, base::ReadFile(AT_FDCWD, group + "/../" + file, 4096));
    JOBD_RETURN_IF_ERROR(WriteControl(dir.get(), file, all));
  }
  return base::Ok();
}

// What runtimes look for, and what a job may have limits in. Errors are passing.
base::Result<std::vector<GroupHierarchy>> FindHierarchies(const std::string& tag) {
  std::vector<GroupHierarchy> all;
  for (const std::string controller : {"memory", "cpu", "cpuacct", "cpuset", "pids", "blkio"}) {
    const std::string name = HierarchyOf(controller);
    if (name.empty()) continue;
    auto known = std::find_if(all.begin(), all.end(), [&](const GroupHierarchy& other) { return other.name == name; });
    if (known == all.end()) known = all.insert(all.end(), {.name = name, .links = {}, .shared_group = {}});
    if (controller != name) known->links.push_back(controller);
    // In the others the job has a group of its own.
    if (name != "cpuacct" && name != "cpuset") continue;
    const std::string group = kTop + name + "/" + tag;
    const auto made = MakeRoot(kTop + name, tag);
    auto status = made.ok() ? base::Ok() : base::Status(made.error());
    if (status.ok() && name == "cpuset") status = FillCpuset(group);
    // These groups only let runtimes see limits: where there is no room for them jobs do without.
    if (!status.ok() && IsPassing(status.error()) && status.error().sys_errno() != ENOSPC) return std::move(status).error();
    if (status.ok()) known->shared_group = group;
  }
  return all;
}

}  // namespace

base::Result<std::unique_ptr<GroupDriver>> TryCgroupHybrid(const std::string& tag) {
  struct statfs info {};
  if (::statfs(kUnified, &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) {
    return base::Error(base::Code::kFailedPrecondition, std::string("no cgroup v2 at ") + kUnified);
  }
  JOBD_ASSIGN_OR_RETURN(base::Fd root, MakeRoot(kUnified, tag));
  std::vector<LimitRoot> limits;
  std::vector<CgroupDriver::Missing> missing;
  for (const Controller controller : kControllers) {
    auto made = MakeRoot(std::string("/sys/fs/cgroup/") + ControllerNameV1(controller), tag);
    if (made.ok()) {
      limits.push_back({controller, std::move(made).value(), HierarchyOf(ControllerNameV1(controller))});
    } else if (IsPassing(made.error())) {
      return std::move(made).error();
    } else {
      CgroupDriver::AddMissing(missing, controller, made.error().message());
    }
  }
  JOBD_ASSIGN_OR_RETURN(std::vector<GroupHierarchy> hierarchies, FindHierarchies(tag));
  // What a job writes through the page cache is written to the disk by the kernel's own threads, on nobody's account.
  std::erase_if(missing, [](const CgroupDriver::Missing& m) { return m.limit == Limit::kIoWrite; });
  missing.push_back({Limit::kIoWrite, "cgroup v1 does not see what is written through the page cache"});
  return std::unique_ptr<GroupDriver>(std::make_unique<CgroupDriver>(
      "hybrid", std::string(kUnified) + "/" + tag, std::move(root), std::move(limits), std::move(missing), std::move(hierarchies)));
}

}  // namespace jobd::sandbox
