#include "sandbox/cgroup/kernel_group.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <set>

#include "base/files.h"
#include "sandbox/cgroup/control_file.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::sandbox {

namespace {

bool IsReadByRuntimes(const GroupLimits& limits) { return limits.memory_bytes != 0 || limits.cpu_millis != 0; }

// The group was removed by somebody while we held its directory open.
bool IsGone(const base::Error& error) { return error.sys_errno() == ENODEV || error.sys_errno() == ENOENT; }

constexpr size_t kMaxPidsText = 64u << 20;  // a job may have as many processes as the machine

// The pids in cgroup.procs; 0 stands for one of another pid namespace and is left out.
base::Result<std::vector<pid_t>> ReadPids(int dir) {
  std::vector<pid_t> pids;
  const auto content = base::ReadFile(dir, "cgroup.procs", kMaxPidsText);
  if (!content.ok() && IsGone(content.error())) return pids;
  if (!content.ok()) return content.error();
  const char* at = content->data();
  const char* const end = at + content->size();
  while (at < end) {
    pid_t pid = 0;
    const auto result = std::from_chars(at, end, pid);
    if (result.ec != std::errc()) break;
    if (pid > 0) pids.push_back(pid);
    at = result.ptr + 1;
  }
  return pids;
}

}  // namespace

base::Result<std::unique_ptr<JobGroup>> KernelGroup::Create(int root, const std::vector<LimitRoot>& roots, const std::string& name,
                                                            const GroupLimits& limits, bool can_be_born_into,
                                                            const std::vector<GroupHierarchy>& hierarchies) {
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, MakeGroupDir(root, name, true));
  std::unique_ptr<KernelGroup> group(new KernelGroup(root, name, std::move(dir)));
  group->can_be_born_into_ = can_be_born_into;
  auto status = can_be_born_into ? base::Ok() : group->OpenJoin(group->dir_.get());
  for (const LimitRoot& limit_root : roots) {
    // Of v1 both of these or neither: runtimes look for them together.
    const bool shown = limit_root.dir &&
                       (limit_root.controller == Controller::kMemory || limit_root.controller == Controller::kCpu) &&
                       IsReadByRuntimes(limits);
    if (status.ok() && (shown || Wanted(limit_root.controller, limits))) status = group->AddPart(limit_root, limits);
  }
  for (const GroupHierarchy& hierarchy : hierarchies) {
    if (status.ok() && !hierarchy.shared_group.empty() && IsReadByRuntimes(limits)) status = group->Share(hierarchy);
  }
  if (!status.ok()) {
    (void)group->Remove();  // the first error is the one to tell
    return std::move(status).error();
  }
  return std::unique_ptr<JobGroup>(std::move(group));
}

base::Result<std::unique_ptr<JobGroup>> KernelGroup::Open(int root, const std::vector<LimitRoot>& roots, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, OpenGroupDir(root, name));
  std::unique_ptr<KernelGroup> group(new KernelGroup(root, name, std::move(dir)));
  for (const LimitRoot& limit_root : roots) {
    if (limit_root.dir) group->parts_.push_back({limit_root.controller, limit_root.dir.get(), {}});
  }
  return std::unique_ptr<JobGroup>(std::move(group));
}

base::Status KernelGroup::AddPart(const LimitRoot& limit_root, const GroupLimits& limits) {
  if (!limit_root.dir) {
    parts_.push_back({limit_root.controller, -1, {}});
    return ApplyV2(dir_.get(), limit_root.controller, limits);
  }
  auto made = MakeGroupDir(limit_root.dir.get(), name_, true);
  if (!made.ok()) return std::move(made).error().WithContext(ControllerNameV1(limit_root.controller));
  parts_.push_back({limit_root.controller, limit_root.dir.get(), std::move(made).value(), limit_root.hierarchy});
  const int dir = parts_.back().dir.get();
  if (Wanted(limit_root.controller, limits)) JOBD_RETURN_IF_ERROR(ApplyV1(dir, limit_root.controller, limits));
  return OpenJoin(dir);
}

base::Status KernelGroup::Share(const GroupHierarchy& hierarchy) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd dir, base::OpenAt(AT_FDCWD, hierarchy.shared_group, O_RDONLY | O_DIRECTORY));
  JOBD_RETURN_IF_ERROR(OpenJoin(dir.get()));
  shared_.push_back(hierarchy.name);
  return base::Ok();
}

base::Status KernelGroup::OpenJoin(int dir) {
  JOBD_ASSIGN_OR_RETURN(base::Fd procs, base::OpenAt(dir, "cgroup.procs", O_WRONLY));
  join_fds_.push_back(procs.get());
  joins_.push_back(std::move(procs));
  return base::Ok();
}

base::Status KernelGroup::OpenEvents() {
  if (events_) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(events_, base::OpenAt(dir_.get(), "cgroup.events", O_RDONLY));
  return base::Ok();
}

base::Status KernelGroup::Signal(int signal) {
  if (signal == SIGKILL) return Kill();
  if (signal == SIGCONT) {  // the same, of a group as a whole; not every kernel has it
    const auto thawed = WriteControl(dir_.get(), "cgroup.freeze", "0");
    if (!thawed.ok() && thawed.error().code() == base::Code::kResourceExhausted) return thawed.error();
  }
  // "0::/…/NAME": the last part of the path is ours alone.
  const auto is_ours = [this](pid_t pid) -> base::Result<bool> {
    JOBD_ASSIGN_OR_RETURN(const auto content, ReadOfProcess(pid, "cgroup", 64 * 1024));
    return content && content->find("/" + name_ + "\n") != std::string::npos;
  };
  std::set<pid_t> told;
  auto all = base::Ok();
  // Processes forked while we were reading show up in the next round. One that forks for ever is for Kill to end.
  for (int round = 0; round < 8; ++round) {
    bool found_new = false;
    JOBD_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, ReadPids(dir_.get()));
    for (const pid_t pid : pids) {
      if (!told.insert(pid).second) continue;
      found_new = true;
      // One that cannot be told keeps it from no other.
      if (auto sent = SignalIfStill(pid, signal, is_ours); !sent.ok()) all = std::move(sent).error();
    }
    if (!found_new) break;
  }
  return all;
}

// cgroup.kill is there since Linux 5.14; a process that is being forked meanwhile does not escape it.
base::Status KernelGroup::Kill() {
  auto killed = WriteControl(dir_.get(), "cgroup.kill", "1");
  return !killed.ok() && IsGone(killed.error()) ? base::Ok() : std::move(killed);
}

base::Status KernelGroup::KillAndWait() {
  for (;;) {
    JOBD_ASSIGN_OR_RETURN(const bool empty, Empty());
    if (empty) return base::Ok();
    JOBD_RETURN_IF_ERROR(Kill());
    pollfd events{events_.get(), POLLPRI, 0};
    if (::poll(&events, 1, -1) < 0 && errno != EINTR) return base::SysError("waiting for the cgroup to empty", errno);
  }
}

base::Result<bool> KernelGroup::Empty() {
  if (const auto opened = OpenEvents(); !opened.ok()) return IsGone(opened.error()) ? base::Result<bool>(true) : opened.error();
  std::array<std::byte, 256> buffer;
  const auto size = base::PreadUpTo(events_.get(), buffer, 0);
  if (!size.ok()) return IsGone(size.error()) ? base::Result<bool>(true) : size.error();
  return KeyedNumber({reinterpret_cast<const char*>(buffer.data()), *size}, "populated") == 0u;
}

base::Result<std::vector<pid_t>> KernelGroup::Processes() { return ReadPids(dir_.get()); }

GroupUsage KernelGroup::Usage() {
  GroupUsage usage;
  if (const auto stat = ReadControl(dir_.get(), "cpu.stat"); stat.ok()) {
    usage.user_cpu_us = KeyedNumber(*stat, "user_usec");
    usage.system_cpu_us = KeyedNumber(*stat, "system_usec");
  }
  for (const Part& part : parts_) {
    if (part.root < 0) {
      ReadUsageV2(dir_.get(), part.controller, usage);
    } else {
      ReadUsageV1(part.dir.get(), part.controller, usage);
    }
  }
  return usage;
}

std::vector<std::string> KernelGroup::hierarchies() const {
  std::vector<std::string> names = shared_;
  for (const Part& part : parts_) {
    if (!part.hierarchy.empty()) names.push_back(part.hierarchy);
  }
  return names;
}

base::Status KernelGroup::Remove() {
  const auto remove = [this](int root) -> base::Status {
    if (::unlinkat(root, name_.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return base::Ok();
    if (errno == EBUSY) return base::Error(base::Code::kFailedPrecondition, "cgroup " + name_ + " is not empty").WithErrno(EBUSY);
    return base::SysError("removing cgroup " + name_, errno);
  };
  // The tracking group last: as long as it is there, the job counts as not cleaned up.
  for (const Part& part : parts_) {
    if (part.root >= 0) JOBD_RETURN_IF_ERROR(remove(part.root));
  }
  return remove(root_);
}

}  // namespace jobd::sandbox
