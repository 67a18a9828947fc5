// Without cgroups: the shim is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so that whatever a job leaves behind becomes its
// child, and it kills descendants until it has none. A job cannot get out of that while its shim lives.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/cgroup/limit_set.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::sandbox {

namespace {

// TAG/GROUP in the environment of a job's processes: which daemon's job it is, and which. A group's name alone is the same for the
// first job of each daemon on the machine, and one daemon must not end another's.
constexpr std::string_view kMark = "JOBD_GROUP=";
constexpr int kLookAgainMillis = 100;
// Of variables; the kernel gives a process far fewer.
constexpr size_t kMaxEnvironment = 8u << 20;

using Marks = std::vector<std::string>;  // values of JOBD_GROUP

base::Result<Marks> MarksOf(pid_t pid) {
  Marks marks;
  JOBD_ASSIGN_OR_RETURN(const auto environment, ReadOfProcess(pid, "environ", kMaxEnvironment));
  if (!environment) return marks;
  for (std::string_view left = *environment; !left.empty();) {
    const size_t end = left.find('\0');
    const std::string_view variable = left.substr(0, end);
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
    if (variable.starts_with(kMark)) marks.emplace_back(variable.substr(kMark.size()));
  }
  return marks;
}

std::string MarkOf(const std::string& tag, const std::string& group) { return tag + "/" + group; }

class ProcessTree final : public JobGroup {
 public:
  explicit ProcessTree(const std::string& mark) : mark_(std::string(kMark) + mark) {}

  const std::vector<int>& join_fds() const override { return no_fds_; }

  base::Status Signal(int signal) override {
    const pid_t shim = ::getpid();
    std::set<pid_t> told;
    auto all = base::Ok();
    for (int round = 0; round < 8; ++round) {
      JOBD_ASSIGN_OR_RETURN(const auto parents, ParentsOfAll());
      bool found_new = false;
      for (const pid_t pid : DescendantsOf(shim, parents)) {
        if (!told.insert(pid).second) continue;
        found_new = true;
        // Still the child of the one that was its parent, or by now of ours: then it is the process that was seen.
        const pid_t parent = parents.at(pid);
        auto sent = SignalIfStill(pid, signal, [&](pid_t held) -> base::Result<bool> {
          JOBD_ASSIGN_OR_RETURN(const auto now, ParentOf(held));
          return now == parent || now == shim;
        });
        if (!sent.ok()) all = std::move(sent).error();  // which keeps it from no other
      }
      if (!found_new) break;
    }
    return all;
  }

  base::Status Kill() override { return Signal(SIGKILL); }

  base::Status KillAndWait() override {
    for (;;) {
      if (const auto killed = Kill(); !killed.ok()) {
        // They cannot be looked for now, or not all could be killed, and nothing tells when that changes: whoever left them to
        // themselves would leave them for ever, and whoever waited for their end might wait for ever.
        (void)::poll(nullptr, 0, kLookAgainMillis);
        JOBD_ASSIGN_OR_RETURN(const bool empty, Empty());
        if (empty) return base::Ok();
        continue;
      }
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

  base::Result<std::vector<pid_t>> Processes() override {
    JOBD_ASSIGN_OR_RETURN(const auto parents, ParentsOfAll());
    return DescendantsOf(::getpid(), parents);
  }
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
  explicit Orphans(std::string mark) : mark_(std::move(mark)) {}

  const std::vector<int>& join_fds() const override { return no_fds_; }
  base::Status Signal(int signal) override {
    JOBD_ASSIGN_OR_RETURN(const std::vector<pid_t> found, Find());
    auto all = base::Ok();
    for (const pid_t pid : found) {
      auto sent = SignalIfStill(pid, signal, [this](pid_t held) { return IsOfJob(held); });
      if (!sent.ok()) all = std::move(sent).error();
    }
    return all;
  }
  base::Status Kill() override { return KillAndWait(); }
  base::Status KillAndWait() override {
    // Each round ends what was found, until nothing is: only a process that forks faster than we kill needs more than two.
    for (int round = 0; round < 64; ++round) {
      JOBD_ASSIGN_OR_RETURN(const std::vector<pid_t> found, Find());
      if (found.empty()) return base::Ok();
      for (const pid_t pid : found) {
        const base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd && errno != ESRCH) return base::SysError("taking hold of what a job left", errno);
        if (!pidfd) continue;
        JOBD_ASSIGN_OR_RETURN(const bool ours, IsOfJob(pid));
        if (!ours) continue;
        ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
        pollfd gone{pidfd.get(), POLLIN, 0};
        (void)::poll(&gone, 1, 1000);  // a killed process ends at once unless it hangs in the kernel
      }
    }
    return base::Error(base::Code::kInternal, "processes of a dead job cannot be killed");
  }
  base::Result<bool> Empty() override {
    JOBD_ASSIGN_OR_RETURN(const std::vector<pid_t> found, Find());
    return found.empty();
  }
  base::Result<std::vector<pid_t>> Processes() override {
    JOBD_ASSIGN_OR_RETURN(const auto parents, ParentsOfAll());
    std::vector<pid_t> found;
    for (const auto& [pid, parent] : parents) {
      JOBD_ASSIGN_OR_RETURN(const bool ours, IsOfJob(pid));
      if (ours) found.push_back(pid);
    }
    return found;
  }
  int events_fd() const override { return -1; }
  bool adopts_orphans() const override { return false; }
  GroupUsage Usage() override { return {}; }
  base::Status Remove() override { return base::Ok(); }

 private:
  base::Result<bool> IsOfJob(pid_t pid) const {
    JOBD_ASSIGN_OR_RETURN(const Marks marks, MarksOf(pid));
    return std::find(marks.begin(), marks.end(), mark_) != marks.end();
  }

  base::Result<std::vector<pid_t>> Find() const {
    JOBD_ASSIGN_OR_RETURN(const auto parents, ParentsOfAll());
    std::vector<pid_t> found;
    for (const auto& [pid, parent] : parents) {
      JOBD_ASSIGN_OR_RETURN(const bool ours, IsOfJob(pid));
      if (!ours) continue;
      JOBD_ASSIGN_OR_RETURN(const bool lives, BelowShim(parent, parents));
      if (!lives) found.push_back(pid);
    }
    return found;
  }

  static base::Result<bool> BelowShim(pid_t pid, const std::unordered_map<pid_t, pid_t>& parents) {
    for (int depth = 0; pid > 1 && depth < 4096; ++depth) {
      JOBD_ASSIGN_OR_RETURN(const bool shim, IsNamedShim(pid));
      if (shim) return true;
      const auto next = parents.find(pid);
      if (next == parents.end()) return false;
      pid = next->second;
    }
    return false;
  }

  std::vector<int> no_fds_;
  const std::string mark_;
};

class ProcessTreeDriver final : public GroupDriver {
 public:
  ProcessTreeDriver(std::string tag, std::string why) : tag_(std::move(tag)), why_(std::move(why)) {}

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
    return std::unique_ptr<JobGroup>(std::make_unique<ProcessTree>(MarkOf(tag_, name)));
  }
  base::Result<std::unique_ptr<JobGroup>> Open(const std::string& name) override {
    return std::unique_ptr<JobGroup>(std::make_unique<Orphans>(MarkOf(tag_, name)));
  }
  base::Result<std::vector<std::string>> List() override { return std::vector<std::string>(); }
  base::Result<ProcessesByGroup> ProcessesOf(const std::vector<std::string>& names) override {
    std::map<std::string, std::string> group_of_mark;
    for (const std::string& name : names) group_of_mark.emplace(MarkOf(tag_, name), name);
    JOBD_ASSIGN_OR_RETURN(const auto parents, ParentsOfAll());
    ProcessesByGroup all;
    for (const auto& [pid, parent] : parents) {
      JOBD_ASSIGN_OR_RETURN(const Marks marks, MarksOf(pid));
      for (const std::string& mark : marks) {
        if (const auto group = group_of_mark.find(mark); group != group_of_mark.end()) all[group->second].push_back(pid);
      }
    }
    return all;
  }
  void RemoveRoot() override {}
  std::vector<int> fds() const override { return {}; }

 private:
  const std::string tag_;
  const std::string why_;
};

}  // namespace

std::unique_ptr<GroupDriver> MakeProcessTreeDriver(std::string tag, std::string why) {
  return std::make_unique<ProcessTreeDriver>(std::move(tag), std::move(why));
}

}  // namespace jobd::sandbox
