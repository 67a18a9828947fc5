#include "sandbox/rules/syscall_policy.h"

#include <linux/personality.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "sandbox/rules/syscall_lists.h"

namespace jobd::sandbox {

namespace {

const Verdict kAllow{.kind = Verdict::Kind::kAllow};
const Verdict kRefuse{.kind = Verdict::Kind::kErrno, .error = EPERM};

constexpr uint32_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

// Calls that are harmless or not, depending on their arguments.
void AddConditions(std::vector<Verdict>& table) {
  const auto no_flags = [](uint32_t flags) {
    return Verdict{.kind = Verdict::Kind::kFlagsAbsent, .error = EPERM, .argument = 0, .values = {flags}};
  };
#if defined(__s390x__)
#error "clone has its flags in the second argument here"
#endif
  table[SYS_clone] = no_flags(kNamespaces);
  // Not in clone: there this bit belongs to the exit signal.
  table[SYS_unshare] = no_flags(kNamespaces | CLONE_NEWTIME);
  // Its flags lie in memory, where a filter cannot look. The C libraries fall back to clone.
  table[SYS_clone3] = {.kind = Verdict::Kind::kErrno, .error = ENOSYS};
  // Typing into the terminal of whoever started us.
  table[SYS_ioctl] = {.kind = Verdict::Kind::kValueAbsent, .error = EPERM, .argument = 1, .values = {TIOCSTI, TIOCLINUX}};
}

}  // namespace

std::vector<Verdict> SyscallPolicy(SyscallFilter filter) {
  if (filter == SyscallFilter::kNone) return {};
  if (filter == SyscallFilter::kStandard) {
    std::vector<Verdict> table(kLastSyscall + 1, kAllow);
    for (const uint32_t number : kRefusedByContainers) table[number] = kRefuse;
    AddConditions(table);
    // Reaches the machine below a virtual one, past the network namespace.
    table[SYS_socket] = {.kind = Verdict::Kind::kValueAbsent, .error = EPERM, .argument = 0, .values = {AF_VSOCK}};
    return table;
  }
  std::vector<Verdict> table(kLastSyscall + 1, kRefuse);
  for (const uint32_t number : kNeededByPrograms) table[number] = kAllow;
  AddConditions(table);
  table[SYS_socket] = {
      .kind = Verdict::Kind::kValuePresent, .error = EPERM, .argument = 0, .values = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}};
  // Asking is harmless; setting switches protections off.
  table[SYS_personality] = {
      .kind = Verdict::Kind::kValuePresent, .error = EPERM, .argument = 0, .values = {PER_LINUX, 0xffff'ffff}};
  return table;
}

}  // namespace jobd::sandbox
