#include "base/starter.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace jobd::base {

namespace {

void OpenStandardDescriptors() {
  for (int fd = 0; fd < 3; ++fd) {
    // The lowest free number is this one, and without close-on-exec, as those of 0-2 are.
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);  // NOLINT
  }
}

void ResetSignals() {
  // Raw: glibc hides its own two (32 and 33). All zero is the kernel's struct sigaction for SIG_DFL.
  const unsigned long standard[4] = {};
  for (int signal = 1; signal < _NSIG; ++signal) ::syscall(SYS_rt_sigaction, signal, standard, nullptr, sizeof(unsigned long));
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void Raise(__rlimit_resource resource, bool beyond_hard) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (beyond_hard && ::setrlimit(resource, &unlimited) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(resource, &limit);
}

void ResetScheduling() {
  const int policy = ::sched_getscheduler(0);
  // Above, the flag SCHED_RESET_ON_FORK.
  if (policy < 0 || ((policy & 0xff) != SCHED_FIFO && (policy & 0xff) != SCHED_RR)) return;
  const sched_param ordinary{};
  ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
}

}  // namespace

Starter ForgetStarter() {
  OpenStandardDescriptors();
  ResetSignals();
  const itimerval none{};
  for (const auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) ::setitimer(timer, &none, nullptr);
  Starter starter;
  ::getrlimit(RLIMIT_NOFILE, &starter.descriptors);
  Raise(RLIMIT_NOFILE, false);
  for (const auto resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_RTTIME, RLIMIT_SIGPENDING}) {
    Raise(resource, true);
  }
  ::umask(022);
  ::personality(PER_LINUX);
  ::prctl(PR_SET_TIMERSLACK, 50'000, 0, 0, 0);
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  ResetScheduling();
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
  return starter;
}

}  // namespace jobd::base
