#include "launch/process/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "launch/contract/step.h"

namespace jobd::launch {

namespace {

[[noreturn]] void Fail(const ChildPlan& plan, Step step, int error) noexcept {
  const ChildReport report{static_cast<uint16_t>(step), 0, error};
  (void)!::write(plan.report_fd, &report, sizeof report);  // a shim that is gone needs no report
  ::_exit(127);
}

// A system call that says what it fails with, and leaves errno alone: that may be the shim's, which goes on beside us. For where
// what is done depends on it.
long Call(long number, unsigned long first, unsigned long second, unsigned long third) noexcept {
#if defined(__x86_64__)
  long result = number;
  register unsigned long fourth asm("r10") = 0;
  register unsigned long fifth asm("r8") = 0;
  asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second), "d"(third), "r"(fourth), "r"(fifth) : "rcx", "r11", "memory");
  return result;
#else
  const long result = ::syscall(number, first, second, third, 0, 0);  // where no memory is shared
  return result < 0 ? -errno : result;
#endif
}

// Raw, because glibc's wrappers tell other threads, which there are none of, and take locks for it.
int SetGroups(const ChildPlan& plan) noexcept { return static_cast<int>(::syscall(SYS_setgroups, plan.group_count, plan.groups)); }

// A job of an ordinary user holds no capability and cannot get one back: bounding, ambient and inheritable sets are emptied too.
// The permitted and effective sets are emptied by the kernel when the uid changes.
bool DropCapabilitySources(uid_t uid) noexcept {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return false;
  for (unsigned long capability = 0; capability < 64; ++capability) {
    // EINVAL: the last one is behind us. EPERM: without CAP_SETPCAP the set stays, and no_new_privs makes it worthless; but uid 0
    // would get at exec whatever is left in it.
    const long result = Call(SYS_prctl, PR_CAPBSET_DROP, capability, 0);
    if (result != 0) return result == -EINVAL || (result == -EPERM && uid != 0);
  }
  return true;
}

bool ClearCapabilities() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

Step StepOf(sandbox::IsolationStep step) noexcept {
  switch (step) {
    case sandbox::IsolationStep::kNone:
    case sandbox::IsolationStep::kNamespaces: return Step::kNamespaces;
    case sandbox::IsolationStep::kMounts: return Step::kMounts;
    case sandbox::IsolationStep::kWorkdir: return Step::kWorkdir;
  }
  return Step::kNamespaces;
}

// As execvpe(3) searches: what is not there or may not be entered is passed over, and a refusal is remembered.
int ExecFirst(const ChildPlan& plan) noexcept {
  int answer = ENOENT;
  for (const char* const* program = plan.programs; *program != nullptr; ++program) {
    const auto error =
        static_cast<int>(-Call(SYS_execve, reinterpret_cast<unsigned long>(*program), reinterpret_cast<unsigned long>(plan.argv),
                               reinterpret_cast<unsigned long>(plan.environment)));
    switch (error) {
      case EACCES: answer = EACCES; break;
      case ENOENT:
      case ENOTDIR:
      case ESTALE:
      case ENODEV:
      case ETIMEDOUT: break;
      default: return error;
    }
  }
  return answer;
}

int EnterWorkdir(const ChildPlan& plan) noexcept {
  if (!plan.workdir_without_links) return ::chdir(plan.workdir);
  const open_how how{.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS};
  const auto folder = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, plan.workdir, &how, sizeof how));
  return folder < 0 ? -1 : ::fchdir(folder);
}

void SetLimits(const ChildPlan& plan, bool late) noexcept {
  for (size_t i = 0; i < plan.limit_count; ++i) {
    if (plan.limits[i].late != late) continue;
    if (::syscall(SYS_prlimit64, 0, plan.limits[i].resource, &plan.limits[i].value, nullptr) != 0) Fail(plan, Step::kLimits, errno);
  }
}

// Raw, because glibc's wrapper refuses the two signals it uses itself (32 and 33), which a job must not find ignored either. All
// zero is the kernel's struct sigaction for SIG_DFL.
void ResetSignal(int signal) noexcept {
  const unsigned long standard[4] = {};
  ::syscall(SYS_rt_sigaction, signal, standard, nullptr, sizeof(unsigned long));
}

}  // namespace

void RunChild(const ChildPlan& plan) noexcept {
  // Should the shim be killed now, the launcher empties the cgroup once. Whoever is not in it yet must not survive that: so first
  // tie our life to the shim's, then see that it still lives, then enter.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail(plan, Step::kClone, errno);
  if (::getppid() != plan.parent) ::_exit(127);
  for (size_t i = 0; i < plan.join_count; ++i) {
    if (::write(plan.join_fds[i], "0", 1) != 1) Fail(plan, Step::kEnterCgroup, errno);
  }

  if (::setsid() < 0) Fail(plan, Step::kSession, errno);
  // An empty session keyring of its own, while we are still who has room for many (kernel.keys.maxkeys). Without keys in the
  // kernel, or where we may not use them, a job may not either; without room for more, what it has is the launcher's, which is
  // empty too.
  if (const long joined = Call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0);
      joined < 0 && joined != -ENOSYS && joined != -EPERM && joined != -EACCES && joined != -EDQUOT) {
    Fail(plan, Step::kSession, static_cast<int>(-joined));
  }

  // exec resets handlers but keeps what is ignored, as whoever started jobd may have left it.
  for (size_t i = 0; i < plan.ignored_count; ++i) ResetSignal(plan.ignored_signals[i]);
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) Fail(plan, Step::kSession, errno);
  ::umask(022);

  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(plan.stdio[fd], fd) < 0) Fail(plan, Step::kDescriptors, errno);
  }
  // Close-on-exec rather than closed: the report must get through until exec has happened.
  if (::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) Fail(plan, Step::kDescriptors, errno);

  SetLimits(plan, false);

  const sandbox::IsolationFailure failure = sandbox::EnterIsolation(*plan.isolation);
  if (failure.step != sandbox::IsolationStep::kNone) Fail(plan, StepOf(failure.step), failure.error);

  // Root keeps its capabilities only where it is not isolated.
  const bool no_capabilities = plan.uid != 0 || plan.isolation->namespaces;
  // 40 system calls of more than a microsecond each; a job that is not isolated does without, as no_new_privs makes the bounding
  // set worthless already.
  if (plan.isolation->namespaces && !DropCapabilitySources(plan.uid)) Fail(plan, Step::kPrivileges, errno);
  if (plan.switch_user) {
    if (SetGroups(plan) != 0) Fail(plan, Step::kUser, errno);
    if (::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) != 0) Fail(plan, Step::kUser, errno);
    if (::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) != 0) Fail(plan, Step::kUser, errno);
    // A change of user clears this (prctl(2)).
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail(plan, Step::kUser, errno);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  if (no_capabilities && !ClearCapabilities()) Fail(plan, Step::kPrivileges, errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(plan, Step::kPrivileges, errno);

  // Where the shim happens to be is nothing to a job: /proc/self/cwd must not lead there.
  if (::chdir("/") != 0) Fail(plan, Step::kWorkdir, errno);
  if (EnterWorkdir(plan) != 0) Fail(plan, Step::kWorkdir, errno);

  if (const int error = sandbox::RestrictFiles(*plan.isolation); error != 0) Fail(plan, Step::kLandlock, error);
  SetLimits(plan, true);
  if (const int error = sandbox::InstallFilter(*plan.isolation); error != 0) Fail(plan, Step::kSeccomp, error);
  const int error = ExecFirst(plan);
  Fail(plan, Step::kExec, error);
}

}  // namespace jobd::launch
