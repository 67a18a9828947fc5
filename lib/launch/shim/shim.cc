#include "launch/shim/shim.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/files.h"
#include "launch/shim/assignment.h"
#include "launch/shim/exit_slot.h"
#include "launch/shim/job_run.h"

namespace jobd::launch {

namespace {

constexpr char kShimName[] = "jobd-shim";

// Closes every descriptor but 0-2 and those of `keep`: holding the launcher's socket would keep the server from seeing its end.
void CloseAllBut(std::vector<int> keep) {
  std::erase_if(keep, [](int fd) { return fd < 0; });
  std::sort(keep.begin(), keep.end());
  unsigned int from = 3;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned int>(fd);
    if (kept < from) continue;
    if (kept > from) ::syscall(SYS_close_range, from, kept - 1, 0);
    from = kept + 1;
  }
  ::syscall(SYS_close_range, from, ~0u, 0);
}

// Lets go of everything of the launcher's that a shim does not use.
void Detach(const ShimContext& context, int channel) {
  // A process group of our own, and no signal but the two that are read in the loop: neither the end of the service nor a
  // terminal's Ctrl-C may end it. (A session of our own would add nothing but 20 us, for the scheduler's group
  // of it.)
  ::setpgid(0, 0);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // With SIGCHLD ignored the kernel would not tell us how the job ended.
  for (const int signal : context.ignored_signals) ::signal(signal, SIG_DFL);
  ::prctl(PR_SET_NAME, kShimName);
  ::prctl(PR_SET_DUMPABLE, 0);
  // The first process of a job's pid namespace has our memory: where jobd's configuration is, is nothing to jobs.
  if (context.command_line.size > sizeof kShimName) {
    std::memset(context.command_line.begin, 0, context.command_line.size);
    std::memcpy(context.command_line.begin, kShimName, sizeof kShimName);
  }
  std::vector<int> keep = context.driver->fds();
  keep.push_back(context.log_dir);
  keep.push_back(channel);
  keep.push_back(context.sharing_setting);
  for (const int fd : context.isolation->fds()) keep.push_back(fd);
  CloseAllBut(std::move(keep));
  // A reader of the launcher's output must see its end while jobs run on.
  if (const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC)); null) {
    for (int fd = 0; fd < 3; ++fd) ::dup2(null.get(), fd);
  }
}

// A status that says why nothing was recorded.
int Unrecorded(const base::Error& error) { return error.sys_errno() > 0 && error.sys_errno() < 256 ? error.sys_errno() : EIO; }

struct Done {
  int status = kShimRecorded;
  bool clean = true;  // nothing of the job is left in this process, which may take another
};

Done RunJob(const ShimContext& context, const sandbox::Profiles& profiles, const Assignment& job) {
  const sandbox::Profile* const profile = profiles.Find(job.profile);
  if (profile == nullptr) return {.status = EINVAL};
  const LaunchRequest& request = job.request;
  base::Fd batch_dir;
  {
    const ScopedFsCredentials acting(context.log_owner);
    auto dir = base::OpenBeneath(context.log_dir, request.owner + "/" + request.correlation_id, O_RDONLY | O_DIRECTORY);
    if (!dir.ok()) return {.status = Unrecorded(dir.error())};
    batch_dir = std::move(dir).value();
  }
  auto slot = [&] {
    const ScopedFsCredentials acting(context.log_owner);
    return ExitSlot::Claim(batch_dir.get(), request.key.index, request.key.attempt);
  }();
  if (!slot.ok()) return {.status = Unrecorded(slot.error())};
  JobRun run(context, job, *profile, batch_dir.get(), *slot);
  run.Run();
  return {.clean = run.Clean()};
}

}  // namespace

CommandLine FindCommandLine() {
  const auto stat = base::ReadFile(AT_FDCWD, "/proc/self/stat", 4096);
  if (!stat.ok() || stat->rfind(')') == std::string::npos) return {};
  // arg_start and arg_end are the 48th and 49th field; the state, behind the name, is the third.
  std::istringstream fields(stat->substr(stat->rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 48; ++field) fields >> skipped;
  uintptr_t begin = 0;
  uintptr_t end = 0;
  if (!(fields >> begin >> end) || begin == 0 || end <= begin) return {};
  return {.begin = reinterpret_cast<char*>(begin), .size = end - begin};
}

sandbox::GroupLimits GroupLimitsOf(const JobLimits& limits) {
  return {.memory_bytes = limits.memory_bytes,
          .cpu_millis = limits.cpu_millis,
          .pids = limits.pids,
          .io_read = limits.io_read_bytes_per_second,
          .io_write = limits.io_write_bytes_per_second};
}

void RunShim(const ShimContext& context, const sandbox::Profiles& profiles, Assignment job, base::Fd channel) {
  Detach(context, channel.get());
  for (;;) {
    const Done done = RunJob(context, profiles, job);
    if (!done.clean || !channel || !SendStatus(channel.get(), done.status)) ::_exit(done.status);
    auto next = ReceiveAssignment(channel.get());
    if (!next) ::_exit(kShimRecorded);
    job = *std::move(next);
  }
}

}  // namespace jobd::launch
