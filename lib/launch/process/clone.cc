#include "launch/process/clone.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace jobd::launch {

namespace {

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kCanShare = true;

// The child has another stack, so it cannot return from here: it calls `main`.
long CloneOnto(clone_args& args, void (*main)(const void*) noexcept, const void* argument) {
  long result = SYS_clone3;
  register auto child_main asm("r8") = main;
  register auto child_argument asm("r9") = argument;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r9, %%rdi\n\t"
      "callq *%%r8\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof args), "r"(child_main), "r"(child_argument)
      : "rcx", "r11", "memory", "cc");
  return result;
}
#else
constexpr bool kCanShare = false;

long CloneOnto(clone_args&, void (*)(const void*) noexcept, const void*) { return -ENOSYS; }
#endif

clone_args ArgsOf(int cgroup, int& pidfd) {
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(cgroup);
  }
  return args;
}

}  // namespace

base::Result<Cloned> CloneProcess(int cgroup) {
  int pidfd = -1;
  clone_args args = ArgsOf(cgroup, pidfd);
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return base::SysError("creating a process", errno);
  Cloned cloned;
  cloned.pid = static_cast<pid_t>(pid);
  if (pid != 0) cloned.pidfd.reset(pidfd);
  return cloned;
}

base::Fd OpenSharingSetting() {
  return kCanShare ? base::Fd(::open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC)) : base::Fd();
}

bool CanShareMemory(int setting) {
  char value = 0;
  return setting >= 0 && ::pread(setting, &value, 1, 0) == 1 && value == '0';
}

base::Result<Cloned> CloneSharing(int cgroup, std::span<std::byte> stack, void (*main)(const void* argument) noexcept,
                                  const void* argument) {
  int pidfd = -1;
  clone_args args = ArgsOf(cgroup, pidfd);
  args.flags |= CLONE_VM;
  args.stack = reinterpret_cast<uint64_t>(stack.data());
  args.stack_size = stack.size();
  const long pid = CloneOnto(args, main, argument);
  if (pid < 0) return base::SysError("creating a process", static_cast<int>(-pid));
  Cloned cloned;
  cloned.pid = static_cast<pid_t>(pid);
  cloned.pidfd.reset(pidfd);
  return cloned;
}

}  // namespace jobd::launch
