#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/files.h"
#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/control_file.h"

namespace jobd::sandbox {

namespace {

constexpr const char* kMount = "/sys/fs/cgroup";
constexpr const char* kLeaf = "jobd-launcher";

base::Error NotHere(std::string why) { return {base::Code::kFailedPrecondition, std::move(why)}; }

// Our own group's path below the mount: the line "0::/path" of /proc/self/cgroup.
base::Result<std::string> OwnGroup() {
  JOBD_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(AT_FDCWD, "/proc/self/cgroup", 64 * 1024));
  const size_t at = content.find("0::");
  if (at == std::string::npos) return NotHere("no cgroup v2 in /proc/self/cgroup");
  return content.substr(at + 3, content.find('\n', at) - at - 3);
}

bool IsOn(int dir, Controller controller) {
  const auto content = ReadControl(dir, "cgroup.controllers");
  return content.ok() && (" " + *content + " ").find(std::string(" ") + ControllerName(controller)) != std::string::npos;
}

base::Status Enable(int dir, Controller controller) {
  return WriteControl(dir, "cgroup.subtree_control", std::string("+") + ControllerName(controller));
}

// A group that holds processes cannot hand controllers down. When the processes are ourselves alone, as in a service with
// systemd's Delegate=yes, moving into a leaf of our own makes room.
base::Status MoveIntoLeaf(int dir) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd leaf, MakeGroupDir(dir, kLeaf, false));
  return WriteControl(leaf.get(), "cgroup.procs", "0");
}

base::Result<std::unique_ptr<GroupDriver>> BuildAt(const std::string& base_path, const std::string& tag, bool own_group) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd base_dir, base::OpenAt(AT_FDCWD, base_path, O_RDONLY | O_DIRECTORY));
  JOBD_ASSIGN_OR_RETURN(base::Fd root, MakeGroupDir(base_dir.get(), tag, false));
  // A delegated group lets us write the file that kills.
  const bool delegated = ::faccessat(root.get(), "cgroup.procs", W_OK, AT_EACCESS) == 0;
  const auto moved = delegated && own_group ? MoveIntoLeaf(base_dir.get()) : base::Ok();
  if (!moved.ok() && IsPassing(moved.error())) return moved.error();
  if (!delegated || !moved.ok()) {
    (void)::unlinkat(base_dir.get(), tag.c_str(), AT_REMOVEDIR);
    return NotHere("no delegated cgroup at " + base_path);
  }
  std::vector<LimitRoot> limits;
  std::vector<CgroupDriver::Missing> missing;
  for (const Controller controller : kControllers) {
    auto status = Enable(base_dir.get(), controller);
    if (status.ok() || IsOn(root.get(), controller)) status = Enable(root.get(), controller);
    if (status.ok()) {
      limits.push_back({controller, {}, {}});
    } else if (IsPassing(status.error())) {
      return std::move(status).error();
    } else {
      CgroupDriver::AddMissing(missing, controller, "the controller is not delegated to " + base_path);
    }
  }
  return std::unique_ptr<GroupDriver>(
      std::make_unique<CgroupDriver>("v2", base_path + "/" + tag, std::move(root), std::move(limits), std::move(missing)));
}

}  // namespace

base::Result<std::unique_ptr<GroupDriver>> TryCgroupV2(const std::string& tag) {
  struct statfs info {};
  if (::statfs(kMount, &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) return NotHere("no cgroup v2 at /sys/fs/cgroup");
  // At the top of the tree, if we may: there the groups of running jobs do not stand in the way when our own service is stopped and
  // started, which would want to use the group that holds them.
  if (::geteuid() == 0) {
    auto top = BuildAt(kMount, tag, false);
    if (top.ok() || IsPassing(top.error())) return top;
  }
  JOBD_ASSIGN_OR_RETURN(const std::string own, OwnGroup());
  std::string base_path = std::string(kMount) + (own == "/" ? "" : own);
  // Restarted within our leaf: the jobs' root is beside it.
  if (base_path.ends_with(std::string("/") + kLeaf)) base_path.resize(base_path.size() - std::string_view(kLeaf).size() - 1);
  return BuildAt(base_path, tag, true);
}

}  // namespace jobd::sandbox
