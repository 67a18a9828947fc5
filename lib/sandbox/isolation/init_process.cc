#include "sandbox/isolation/init_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace jobd::sandbox {

// Runs in memory that is its parent's: system calls that succeed touch none of it. Raw ones, for a sanitizer keeps something of the
// thread at others, and the thread is its parent's too. Nor does it leave behind, for who uses its stack's place after it, what a
// sanitizer has marked there.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] int InitProcess::Main(void* alive_fd) {
  const int alive = *static_cast<const int*>(alive_fd);
  // Orphans vanish when they end. The handlers are our own, unlike the memory. The kernel's struct sigaction begins with the
  // handler; the rest is none.
  const unsigned long ignore[4] = {1};
  ::syscall(SYS_rt_sigaction, SIGCHLD, ignore, nullptr, sizeof(unsigned long));
  if (alive > 0) ::syscall(SYS_close_range, 0u, static_cast<unsigned int>(alive - 1), 0);
  ::syscall(SYS_close_range, static_cast<unsigned int>(alive + 1), ~0u, 0);
  // End of file when nobody can write any more: our parent is gone. A death signal would be missed if the parent died before we
  // asked for it.
  char none;
  while (::syscall(SYS_read, alive, &none, 1) > 0) {
  }
  for (;;) ::syscall(SYS_exit_group, 0);
}

base::Status InitProcess::Start(int user_namespace) {
  if (user_namespace >= 0 && ::setns(user_namespace, CLONE_NEWUSER) != 0)
    return base::SysError("entering the user namespace", errno);
  if (::unshare(CLONE_NEWPID) != 0) return base::SysError("making a pid namespace", errno);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
  const base::Fd reader(ends[0]);
  alive_.reset(ends[1]);
  // A member: it must be there when the new process gets to run.
  reader_number_ = ends[0];
#if defined(__SANITIZE_THREAD__)
  // ThreadSanitizer's own clone would take the memory that is shared for a copy, and change it.
  const auto pid = static_cast<int>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) Main(&reader_number_);
#else
  const int pid = ::clone(&Main, stack_.data() + stack_.size(), CLONE_VM | SIGCHLD, &reader_number_);
#endif
  if (pid < 0) return base::SysError("creating the first process", errno);
  pid_ = pid;
  return base::Ok();
}

void InitProcess::End() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  // Where that fails, it ends of this, and its namespace with it.
  alive_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

base::Status InitProcess::Leave() {
  const base::Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self || ::setns(self.get(), CLONE_NEWPID) != 0) return base::SysError("going back to our own pid namespace", errno);
  return base::Ok();
}

}  // namespace jobd::sandbox
