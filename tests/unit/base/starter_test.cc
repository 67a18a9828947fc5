#include "base/starter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <initializer_list>
#include <string>

namespace jobd::base {
namespace {

// In a process of its own: what `leave` does, then ForgetStarter, then `check`, whose answer is given.
bool Holds(const std::function<void()>& leave, const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    leave();
    ForgetStarter();
    ::_exit(check() ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(FaultA1, IgnoredAndBlockedSignalsAreAsOfAProcessThatNobodyTouched) {
  EXPECT_TRUE(Holds(
      [] {
        for (const int signal : {SIGCHLD, SIGPIPE, SIGHUP, SIGTERM, 40}) std::signal(signal, SIG_IGN);
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
      },
      [] {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(3);
        int status = 0;
        sigset_t blocked;
        ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
        return ::waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 && sigisemptyset(&blocked) == 1 &&
               std::signal(SIGHUP, SIG_DFL) == SIG_DFL && std::signal(40, SIG_DFL) == SIG_DFL;
      }));
}

TEST(StraySignals, FaultG7WhatMeansNothingToADaemonDoesNotEndIt) {
  EXPECT_TRUE(Holds([] {},
                    [] {
                      IgnoreStraySignals();
                      for (const int signal :
                           {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGTRAP})
                        ::raise(signal);
                      for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) ::raise(signal);
                      // A timer of ours would still wake us: a handler may be put in its place.
                      return std::signal(SIGALRM, [](int) {}) == SIG_IGN;
                    }));
}

TEST(StraySignals, FaultG7WhatIsToEndADaemonStillDoes) {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) {
    const pid_t child = ::fork();
    if (child == 0) {
      ForgetStarter();
      IgnoreStraySignals();
      ::raise(signal);
      ::_exit(0);
    }
    int status = 0;
    EXPECT_TRUE(::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == signal) << signal;
  }
}

TEST(FaultA1, ClosedStandardDescriptorsAreDevNull) {
  EXPECT_TRUE(Holds([] { ::close(0), ::close(1), ::close(2); },
                    [] {
                      char byte;
                      return ::read(0, &byte, 1) == 0 && ::write(1, "x", 1) == 1 && ::write(2, "x", 1) == 1;
                    }));
}

TEST(FaultA1, LimitsThatEndAProcessOrItsFilesAreLifted) {
  EXPECT_TRUE(Holds(
      [] {
        for (const auto resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_SIGPENDING, RLIMIT_NOFILE}) {
          rlimit limit{};
          ::getrlimit(resource, &limit);
          limit.rlim_cur = resource == RLIMIT_NOFILE ? 64 : 1;
          ::setrlimit(resource, &limit);
        }
      },
      [] {
        bool lifted = true;
        for (const auto resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_SIGPENDING, RLIMIT_NOFILE}) {
          rlimit limit{};
          lifted = lifted && ::getrlimit(resource, &limit) == 0 && limit.rlim_cur == limit.rlim_max;
        }
        return lifted;
      }));
}

TEST(FaultA1, ATinyStackIsThatOfAnyProcess) {
  EXPECT_TRUE(Holds(
      [] {
        rlimit limit{};
        ::getrlimit(RLIMIT_STACK, &limit);
        limit.rlim_cur = 64 << 10;
        ::setrlimit(RLIMIT_STACK, &limit);
        pthread_attr_t tiny;
        ::pthread_attr_init(&tiny);
        ::pthread_attr_setstacksize(&tiny, 64 << 10);
        ::pthread_setattr_default_np(&tiny);
      },
      [] {
        rlimit limit{};
        ::getrlimit(RLIMIT_STACK, &limit);
        pthread_attr_t attributes;
        size_t bytes = 0;
        ::pthread_getattr_default_np(&attributes);
        ::pthread_attr_getstacksize(&attributes, &bytes);
        return limit.rlim_cur >= 8 << 20 && bytes >= 8 << 20;
      }));
}

TEST(FaultA1, FewProcessesAreAsManyAsTheHardLimitHas) {
  EXPECT_TRUE(Holds(
      [] {
        rlimit limit{};
        ::getrlimit(RLIMIT_NPROC, &limit);
        limit.rlim_cur = 1;
        ::setrlimit(RLIMIT_NPROC, &limit);
      },
      [] {
        rlimit limit{};
        return ::getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur == limit.rlim_max;
      }));
}

// The limit, its value, and what is said of it when it cannot be lifted.
TEST(FaultA1, ALimitThatStaysAndIsInTheWayIsNamed) {
  const auto obstacle = [](__rlimit_resource resource, rlim_t value) {
    std::string said;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return said;
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit limit{value, value};
      // An ordinary user may not lift a hard limit.
      if (::setrlimit(resource, &limit) != 0 || (::getuid() == 0 && ::setuid(65534) != 0)) ::_exit(2);
      const std::string text = ForgetStarter().obstacle;
      ::_exit(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 3);
    }
    ::close(ends[1]);
    char text[256];
    const ssize_t size = ::read(ends[0], text, sizeof(text));
    ::close(ends[0]);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    if (size > 0) said.assign(text, static_cast<size_t>(size));
    return said;
  };
  EXPECT_EQ(obstacle(RLIMIT_FSIZE, 10000), "files may have 10000 bytes (ulimit -f)");
  EXPECT_EQ(obstacle(RLIMIT_CPU, 60), "the process is killed after 60 s of processor time (ulimit -t)");
  EXPECT_EQ(obstacle(RLIMIT_CORE, 0), "");
}

TEST(FaultA1, UmaskTimersAndPersonalityAreForgotten) {
  EXPECT_TRUE(Holds(
      [] {
        ::umask(077);
        ::personality(ADDR_NO_RANDOMIZE);
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        const itimerval soon{.it_interval = {}, .it_value = {.tv_sec = 3600, .tv_usec = 0}};
        ::setitimer(ITIMER_REAL, &soon, nullptr);
      },
      [] {
        itimerval left{};
        ::getitimer(ITIMER_REAL, &left);
        int subreaper = 1;
        ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
        return ::umask(0) == 022 && ::personality(0xffffffff) == PER_LINUX && left.it_value.tv_sec == 0 && subreaper == 0;
      }));
}

TEST(FaultA1, DescriptorsAreRaisedAndTheStartersNumberIsKept) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::_exit(ForgetStarter().descriptors.rlim_cur == 64 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(FaultD9, KeysOfTheStartersSessionAreOutOfReach) {
  const auto search = [] { return ::syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "jobd-test", 0); };
  EXPECT_TRUE(Holds(
      [&] {
        ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
        ::syscall(SYS_add_key, "user", "jobd-test", "secret", 6, KEY_SPEC_SESSION_KEYRING);
      },
      [&] { return search() < 0; }));
}

}  // namespace
}  // namespace jobd::base
