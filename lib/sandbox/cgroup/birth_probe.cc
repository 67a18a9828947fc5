#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "sandbox/cgroup/cgroup_driver.h"
#include "sandbox/cgroup/control_file.h"

namespace jobd::sandbox {

bool CanBeBornInto(int root) {
  const std::string name = "probe-" + std::to_string(::getpid());
  const auto dir = MakeGroupDir(root, name, false);
  if (!dir.ok()) return false;
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(dir->get());
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  int status = -1;
  const bool reaped = pid > 0 && ::waitpid(static_cast<pid_t>(pid), &status, 0) == pid;
  (void)::unlinkat(root, name.c_str(), AT_REMOVEDIR);
  return reaped && WIFEXITED(status);
}

}  // namespace jobd::sandbox
