#include "base/starter.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
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

// What Linux gives a process that nobody has touched. The C library took the size of a thread's stack from the limit before main.
void GrowStacks() {
  constexpr rlim_t kStack = rlim_t{8} << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kStack) return;
  limit.rlim_cur = std::min(kStack, limit.rlim_max);
  ::setrlimit(RLIMIT_STACK, &limit);
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return;
  ::pthread_attr_setstacksize(&attributes, kStack);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

// The limits that are left under which a daemon would be ended, or could not write.
std::string Obstacle() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return "files may have " + std::to_string(limit.rlim_cur) + " bytes (ulimit -f)";
  }
  if (::getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return "the process is killed after " + std::to_string(limit.rlim_cur) + " s of processor time (ulimit -t)";
  }
  return "";
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
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_NPROC}) Raise(resource, false);
  for (const auto resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_RTTIME, RLIMIT_SIGPENDING}) {
    Raise(resource, true);
  }
  GrowStacks();
  starter.obstacle = Obstacle();
  ::umask(022);
  ::personality(PER_LINUX);
  ::prctl(PR_SET_TIMERSLACK, 50'000, 0, 0, 0);
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  ResetScheduling();
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
  return starter;
}

void IgnoreStraySignals() {
  // SIGINT, SIGQUIT and SIGTERM end a daemon because that is what they are for, and those of a fault as they must.
  // A write beyond a limit on files fails then, which its writer is told; a fault ends us whether it is ignored or not.
  for (const int signal : {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGTRAP}) {
    std::signal(signal, SIG_IGN);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) std::signal(signal, SIG_IGN);
}

}  // namespace jobd::base
