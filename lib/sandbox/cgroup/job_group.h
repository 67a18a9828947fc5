// The set of all processes of one job, whatever they fork, and the limits on them together. Behind one interface: kernel cgroups
// where the machine lets us make them, else the process tree below the shim.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::sandbox {

// On all processes of a job together; 0: no limit.
struct GroupLimits {
  uint64_t memory_bytes = 0;
  uint32_t cpu_millis = 0;  // thousandths of a processor
  uint32_t pids = 0;
  uint64_t io_read = 0;  // bytes per second, of each disk
  uint64_t io_write = 0;
  bool operator==(const GroupLimits&) const = default;
};

// The group's own counts at its end; absent where it does not count.
struct GroupUsage {
  std::optional<uint64_t> user_cpu_us;
  std::optional<uint64_t> system_cpu_us;
  std::optional<uint64_t> peak_memory;
  bool oom_killed = false;        // the memory limit made the kernel kill a process
  bool memory_limit_hit = false;  // it was reached
  bool pids_limit_hit = false;    // a fork was refused
};

// How a job can be shown its own groups: not, as a cgroup2 file system, or as one of cgroup v1 for each hierarchy.
enum class GroupLayout { kNone, kV2, kV1 };

// A hierarchy of cgroup v1 as programs look for it.
struct GroupHierarchy {
  std::string name;                // below /sys/fs/cgroup, and as a mount option: "memory", "cpu,cpuacct"
  std::vector<std::string> links;  // other names of it there: "cpu"
  // The path of a group without limits and without groups in it, which jobs with a limit of memory or processors enter: runtimes
  // read these only where they find cpuset and cpuacct too. Empty: none.
  std::string shared_group;
};

// One job's processes. Not thread-safe. The destructor leaves processes and kernel objects as they are.
class JobGroup {
 public:
  virtual ~JobGroup() = default;
  // For clone3(2) with CLONE_INTO_CGROUP: the group in which a process is to be born; -1: in none. Borrowed.
  virtual int birth_fd() const { return -1; }
  // Descriptors to which a process writes "0" to enter the rest of the group, all of them, before it does anything else. Borrowed;
  // valid as long as this object.
  virtual const std::vector<int>& join_fds() const = 0;
  // Sends `signal` to every process, those forked meanwhile included. A pid that was reused in between is never hit.
  virtual base::Status Signal(int signal) = 0;
  // Begins to kill every process; they may be there a little longer.
  virtual base::Status Kill() = 0;
  // Kills every process and returns when none is left. Blocks as long as one hangs in the kernel.
  virtual base::Status KillAndWait() = 0;
  // True too when somebody has removed the group.
  virtual base::Result<bool> Empty() = 0;
  // The processes that are in it now, those whose shim lives included. A moment's picture. None when somebody has removed it; an
  // error when it cannot be looked at now, which says nothing of whether there are some.
  virtual base::Result<std::vector<pid_t>> Processes() = 0;
  // Signals POLLPRI when Empty() may have changed since it was last called; -1 when there is no such event, and then Kill() has
  // waited already. Borrowed.
  virtual int events_fd() const = 0;
  // What the job's processes must carry in their environment, NAME=VALUE, so that they are found again when the shim is dead; empty
  // where the kernel keeps them together.
  virtual std::string mark() const { return {}; }
  // True when orphans of the job become children of the shim, which must reap them.
  virtual bool adopts_orphans() const = 0;
  // The hierarchies of cgroup v1 in which the job has a group, by GroupHierarchy::name.
  virtual std::vector<std::string> hierarchies() const { return {}; }
  virtual GroupUsage Usage() = 0;
  // Removes the kernel's objects. kFailedPrecondition while a process is left. Removing what is gone is no error.
  virtual base::Status Remove() = 0;
};

// One ability of this machine, in the words of `admin status`.
struct Capability {
  std::string name;
  bool available = false;
  std::string detail;
};

// Makes groups below a root of our own. One for the life of the launcher, and of every shim forked from it. Not thread-safe.
class GroupDriver {
 public:
  virtual ~GroupDriver() = default;
  // "v2", "hybrid" or "none".
  virtual std::string_view name() const = 0;
  virtual std::vector<Capability> capabilities() const = 0;
  virtual GroupLayout layout() const { return GroupLayout::kNone; }
  virtual std::vector<GroupHierarchy> hierarchies() const { return {}; }  // kV1
  // kFailedPrecondition when one of the limits asked for cannot be enforced here; the message names it.
  virtual base::Status Check(const GroupLimits& limits) const = 0;
  // A fresh group. `name` is a safe file name, see GroupName. kAlreadyExists when there is one of that name. To be called in the
  // process that will be the parent of the group's first process.
  virtual base::Result<std::unique_ptr<JobGroup>> Create(const std::string& name, const GroupLimits& limits) = 0;
  // A group made by another process, to be killed and removed. kNotFound when there is none.
  virtual base::Result<std::unique_ptr<JobGroup>> Open(const std::string& name) = 0;
  // The names of all groups below our root, those of dead shims included.
  virtual base::Result<std::vector<std::string>> List() = 0;
  // JobGroup::Processes of each group of these names that there is, whatever their number, with one look at the machine.
  using ProcessesByGroup = std::map<std::string, std::vector<pid_t>, std::less<>>;
  virtual base::Result<ProcessesByGroup> ProcessesOf(const std::vector<std::string>& names) = 0;
  // Removes our root if no group is left in it; for when the launcher ends for good. What is in use stays.
  virtual void RemoveRoot() = 0;
  // Descriptors that Create and Open need; a process that closes its descriptors keeps these. Borrowed.
  virtual std::vector<int> fds() const = 0;
};

// The name of a job's group: "job-BATCH-INDEX-ATTEMPT".
std::string GroupName(uint64_t batch, uint32_t index, uint32_t attempt);

// Finds the best driver that works here by trying: pure v2, hybrid, none. `tag` is a safe file name that tells this daemon's groups
// from another's: the same after a restart. Fails when the machine lacks something for a look at it (kResourceExhausted), for a
// second: what can be had then is not known.
base::Result<std::unique_ptr<GroupDriver>> DetectGroupDriver(const std::string& tag);

// The driver without cgroups, wherever we are. `tag` as above; `why` says in the capabilities why there are none.
std::unique_ptr<GroupDriver> MakeProcessTreeDriver(std::string tag, std::string why);

}  // namespace jobd::sandbox
