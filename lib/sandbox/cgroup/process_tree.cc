// Without cgroups: the shim is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so that whatever a job leaves behind becomes its
// child, and it kills descendants until it has none. A job cannot get out of that while its shim lives.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>

#include "base/fd.h"
#include "base/files.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/cgroup/limit_set.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::sandbox {

namespace {

// The name of a job's group, in the environment of its processes. Index and attempt alone are those of many batches.
constexpr std::string_view kMark = "JOBD_GROUP=";

class ProcessTree final : public JobGroup {
 public:
  explicit ProcessTree(const std::string& name) : mark_(std::string(kMark) + name) {}

  const std::vector<int>& join_fds() const override { return no_fds_; }

  base::Status Signal(int signal) override {
    const pid_t shim = ::getpid();
    std::set<pid_t> told;
    for (int round = 0; round < 8; ++round) {
      const auto parents = ParentsOfAll();
      bool found_new = false;
      for (const pid_t pid : DescendantsOf(shim, parents)) {
        if (!told.insert(pid).second) continue;
        found_new = true;
        // Still the child of the one that was its parent, or by now of ours: then it is the process that was seen.
        const pid_t parent = parents.at(pid);
        SignalIfStill(pid, signal, [&](pid_t held) {
          const auto now = ParentOf(held);
          return now == parent || now == shim;
        });
      }
      if (!found_new) break;
    }
    return base::Ok();
  }

  base::Status Kill() override { return Signal(SIGKILL); }

  base::Status KillAndWait() override {
    for (;;) {
      JOBD_RETURN_IF_ERROR(Kill());
      // Sleeps until some child has ended; each end may hand us new children, hence the loop.
      if (::waitpid(-1, nullptr, 0) < 0) {
        if (errno == ECHILD) return base::Ok();
        if (errno != EINTR) return base::SysError("waiting for the job's processes", errno);
      }
    }
  }

  base::Result<bool> Empty() override {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
  }

  std::vector<pid_t> Processes() override { return DescendantsOf(::getpid(), ParentsOfAll()); }
  int events_fd() const override { return -1; }
  std::string mark() const override { return mark_; }
  bool adopts_orphans() const override { return true; }
  GroupUsage Usage() override { return {}; }
  base::Status Remove() override {
    JOBD_ASSIGN_OR_RETURN(const bool empty, Empty());
    if (!empty) return base::Error(base::Code::kFailedPrecondition, "the job's processes are not gone");
    return base::Ok();
  }

 private:
  const std::string mark_;
  std::vector<int> no_fds_;
};

// What a dead shim left, seen from the launcher: processes of our user that carry the job's mark and have no living shim above
// them.
class Orphans final : public JobGroup {
 public:
  Orphans(const std::string& name, std::string index, std::string attempt)
      : mark_(std::string(kMark) + name), index_(std::move(index)), attempt_(std::move(attempt)) {}

  const std::vector<int>& join_fds() const override { return no_fds_; }
  base::Status Signal(int signal) override {
    for (const pid_t pid : Find()) SignalIfStill(pid, signal, [this](pid_t held) { return IsOfJob(held); });
    return base::Ok();
  }
  base::Status Kill() override { return KillAndWait(); }
  base::Status KillAndWait() override {
    // Each round ends what was found, until nothing is: only a process that forks faster than we kill needs more than two.
    for (int round = 0; round < 64; ++round) {
      const std::vector<pid_t> found = Find();
      if (found.empty()) return base::Ok();
      for (const pid_t pid : found) {
        const base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd || !IsOfJob(pid)) continue;
        ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
        pollfd gone{pidfd.get(), POLLIN, 0};
        (void)::poll(&gone, 1, 1000);  // a killed process ends at once unless it hangs in the kernel
      }
    }
    return base::Error(base::Code::kInternal, "processes of a dead job cannot be killed");
  }
  base::Result<bool> Empty() override { return Find().empty(); }
  std::vector<pid_t> Processes() override {
    std::vector<pid_t> found;
    for (const auto& [pid, parent] : ParentsOfAll()) {
      if (IsOfJob(pid)) found.push_back(pid);
    }
    return found;
  }
  int events_fd() const override { return -1; }
  bool adopts_orphans() const override { return false; }
  GroupUsage Usage() override { return {}; }
  base::Status Remove() override { return base::Ok(); }

 private:
  bool IsOfJob(pid_t pid) const {
    const auto environ = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/environ", 8u << 20);
    if (!environ.ok()) return false;
    const std::string all = '\0' + *environ;
    const auto has = [&all](const std::string& variable) { return all.find('\0' + variable + '\0') != std::string::npos; };
    if (all.find('\0' + std::string(kMark)) != std::string::npos) return has(mark_);
    // Started by a jobd that set no mark: these are all there is to go by.
    return all.find(std::string("\0JOBD_JOB_ID=", 13)) != std::string::npos && has("JOBD_INDEX=" + index_) &&
           has("JOBD_ATTEMPT=" + attempt_);
  }

  std::vector<pid_t> Find() const {
    const auto parents = ParentsOfAll();
    std::vector<pid_t> found;
    for (const auto& [pid, parent] : parents) {
      if (IsOfJob(pid) && !BelowShim(parent, parents)) found.push_back(pid);
    }
    return found;
  }

  static bool BelowShim(pid_t pid, const std::unordered_map<pid_t, pid_t>& parents) {
    for (int depth = 0; pid > 1 && depth < 4096; ++depth) {
      // "pid (jobd-shim) Z" is one that has died and only waits to be reaped.
      const auto stat = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096);
      const std::string shim = std::to_string(pid) + " (jobd-shim) ";
      if (stat.ok() && stat->starts_with(shim) && (*stat)[shim.size()] != 'Z') return true;
      const auto next = parents.find(pid);
      if (next == parents.end()) return false;
      pid = next->second;
    }
    return false;
  }

  std::vector<int> no_fds_;
  std::string mark_;
  std::string index_;
  std::string attempt_;
};

class ProcessTreeDriver final : public GroupDriver {
 public:
  explicit ProcessTreeDriver(std::string why) : why_(std::move(why)) {}

  std::string_view name() const override { return "none"; }
  std::vector<Capability> capabilities() const override {
    std::vector<Capability> all{{"cgroup", false, "jobs are tracked as process trees: " + why_}};
    for (const Limit limit : kLimits) all.push_back({LimitName(limit), false, "needs a cgroup"});
    return all;
  }
  base::Status Check(const GroupLimits& limits) const override {
    for (const Limit limit : kLimits) {
      if (!Wanted(limit, limits)) continue;
      return base::Error(base::Code::kFailedPrecondition,
                         std::string("the ") + LimitName(limit) + " cannot be enforced here: needs a cgroup");
    }
    return base::Ok();
  }
  base::Result<std::unique_ptr<JobGroup>> Create(const std::string& name, const GroupLimits& /*limits*/) override {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return base::SysError("becoming a subreaper", errno);
    return std::unique_ptr<JobGroup>(std::make_unique<ProcessTree>(name));
  }
  base::Result<std::unique_ptr<JobGroup>> Open(const std::string& name) override {
    const size_t attempt = name.rfind('-');
    const size_t index = name.rfind('-', attempt - 1);
    if (attempt == std::string::npos || index == std::string::npos) {
      return base::Error(base::Code::kInvalidArgument, "not the name of a job's group");
    }
    return std::unique_ptr<JobGroup>(
        std::make_unique<Orphans>(name, name.substr(index + 1, attempt - index - 1), name.substr(attempt + 1)));
  }
  std::vector<std::string> List() override { return {}; }
  void RemoveRoot() override {}
  std::vector<int> fds() const override { return {}; }

 private:
  std::string why_;
};

}  // namespace

std::unique_ptr<GroupDriver> MakeProcessTreeDriver(std::string why) { return std::make_unique<ProcessTreeDriver>(std::move(why)); }

}  // namespace jobd::sandbox
