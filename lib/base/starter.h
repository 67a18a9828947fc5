// What whoever starts a program leaves to it, and what must not matter to a daemon and its jobs.
#pragma once

#include <sys/resource.h>

#include <string>

namespace jobd::base {

struct Starter {
  rlimit descriptors{};  // RLIMIT_NOFILE as it was given
  // A limit that stays, for want of the right to lift it, and that no daemon can work under: "files may have 4096 bytes (ulimit
  // -f)". Empty: none.
  std::string obstacle;
};

// To be called first of all, by the one thread there is:
//
//   descriptors 0-2    those that are closed become /dev/null, or the first files we open would get what others write there
//   signals            all have their defaults and none is blocked: with SIGCHLD ignored no wait finds a child's end
//   timers             none: an alarm would end us
//   limits             NOFILE, NPROC: the soft one as high as the hard one. STACK: 8 MiB at least, and so for threads. Those that
//                      would end us or spoil what we write (CPU, FSIZE, AS, DATA, RTTIME, SIGPENDING): unlimited, where we have
//                      the right. All others stay
//   umask              022
//   personality, timer slack, transparent huge pages, subreaper    as of a process that nobody has touched
//   scheduling         no real-time policy
//   session keyring    an empty one of our own, where the kernel has keys and lets us
//
// Niceness, I/O priority and oom_score_adj stay: they are an administrator's to give to a service. What cannot be reset stays.
Starter ForgetStarter();

// Signals that mean nothing to a daemon and whose default would end it, which somebody sends all the same, as log rotation does
// with SIGUSR1: ignored from here on, the real-time ones too. What it executes must not find them so: exec keeps what is ignored.
void IgnoreStraySignals();

}  // namespace jobd::base
