#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/control_file.h"

namespace jobd::sandbox {

namespace {

constexpr int kTries = 20;
constexpr int kTryAgainMillis = 50;

// Nothing: not known, for want of something.
std::optional<bool> Try(int root) {
  const std::string name = "probe-" + std::to_string(::getpid());
  const auto dir = MakeGroupDir(root, name, false);
  if (!dir.ok()) return IsPassing(dir.error()) ? std::nullopt : std::optional(false);
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(dir->get());
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  const bool lacking = pid < 0 && (errno == EAGAIN || errno == ENOMEM);
  int status = -1;
  const bool reaped = pid > 0 && ::waitpid(static_cast<pid_t>(pid), &status, 0) == pid;
  (void)::unlinkat(root, name.c_str(), AT_REMOVEDIR);
  if (lacking) return std::nullopt;
  return reaped && WIFEXITED(status);
}

}  // namespace

bool CanBeBornInto(int root) {
  for (int tried = 1;; ++tried) {
    const auto known = Try(root);
    if (known || tried == kTries) return known.value_or(false);
    (void)::poll(nullptr, 0, kTryAgainMillis);
  }
}

}  // namespace jobd::sandbox
