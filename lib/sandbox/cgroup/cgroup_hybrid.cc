#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <string>

#include "base/files.h"
#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/control_file.h"

namespace jobd::sandbox {

namespace {

constexpr const char* kUnified = "/sys/fs/cgroup/unified";

base::Result<base::Fd> MakeRoot(const std::string& mount, const std::string& tag) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, mount, O_RDONLY | O_DIRECTORY));
  return MakeGroupDir(dir.get(), tag, false);
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
      limits.push_back({controller, std::move(made).value()});
    } else {
      CgroupDriver::AddMissing(missing, controller, made.error().message());
    }
  }
  // What a job writes through the page cache is written to the disk by the kernel's own threads, on nobody's account.
  std::erase_if(missing, [](const CgroupDriver::Missing& m) { return m.limit == Limit::kIoWrite; });
  missing.push_back({Limit::kIoWrite, "cgroup v1 does not see what is written through the page cache"});
  return std::unique_ptr<GroupDriver>(std::make_unique<CgroupDriver>("hybrid", std::string(kUnified) + "/" + tag, std::move(root),
                                                                     std::move(limits), std::move(missing)));
}

}  // namespace jobd::sandbox
