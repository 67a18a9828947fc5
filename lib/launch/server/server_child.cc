#include "launch/server/server_child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "launch/contract/frames.h"

namespace jobd::launch {

namespace {

[[noreturn]] void Fail(const ServerChildPlan& plan) noexcept {
  const int error = errno;
  (void)!::write(plan.report_fd, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

void RunServerChild(const ServerChildPlan& plan) noexcept {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < _NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir("/") != 0) Fail(plan);
  if (::dup2(plan.socket_fd, kServerSocketFd) < 0) Fail(plan);
  if (::syscall(SYS_close_range, kServerSocketFd + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) Fail(plan);
  if (plan.switch_user) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) != 0 ||
        ::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) != 0) {
      Fail(plan);
    }
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(plan);
  ::syscall(SYS_execveat, plan.program_fd, "", plan.argv, plan.environment, AT_EMPTY_PATH);
  Fail(plan);
}

}  // namespace jobd::launch
