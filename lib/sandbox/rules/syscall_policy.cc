#include "sandbox/rules/syscall_policy.h"

#include <fcntl.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "sandbox/rules/syscall_lists.h"

namespace jobd::sandbox {

namespace {

const Verdict kAllow{.kind = Verdict::Kind::kAllow};
const Verdict kRefuse{.kind = Verdict::Kind::kErrno, .error = EPERM};
// As from a kernel that does not have the call, for which programs have another way.
const Verdict kAbsent{.kind = Verdict::Kind::kErrno, .error = ENOSYS};

constexpr uint32_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

// A file that gives away the uid or gid of who made it: whoever runs one of a job's can do what its owner's jobs can, and a
// set-user-ID file in a shared folder outlives them. A filter cannot tell folders from files, so folders do not get the group's bit
// by chmod either; they still inherit it. As systemd's RestrictSUIDSGID=.
void AddModes(std::vector<Verdict>& table) {
  const auto no_bits = [](uint8_t argument) {
    return Verdict{.kind = Verdict::Kind::kFlagsAbsent, .error = EPERM, .argument = argument, .values = {S_ISUID | S_ISGID}};
  };
  // Without these flags the mode is whatever the register held.
  constexpr uint32_t kMaking = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
  const auto no_bits_of_new = [](uint8_t flags, uint8_t mode) {
    return Verdict{.kind = Verdict::Kind::kBitsAbsentIf,
                   .error = EPERM,
                   .argument = mode,
                   .values = {S_ISUID | S_ISGID, kMaking},
                   .condition = flags};
  };
  constexpr uint32_t kFchmodat2 = 452;
  table[SYS_fchmod] = no_bits(1);
  table[SYS_fchmodat] = table[kFchmodat2] = no_bits(2);
  table[SYS_mknodat] = no_bits(2);
  table[SYS_openat] = no_bits_of_new(2, 3);
#if defined(__x86_64__)
  table[SYS_chmod] = table[SYS_mknod] = table[SYS_creat] = no_bits(1);
  table[SYS_open] = no_bits_of_new(1, 2);
#endif
  // Its mode lies in memory, where a filter cannot look. Who uses it falls back to openat, as on an older kernel.
  table[SYS_openat2] = {.kind = Verdict::Kind::kErrno, .error = ENOSYS};
}

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
    AddModes(table);
    // Reaches the machine below a virtual one, past the network namespace.
    table[SYS_socket] = {.kind = Verdict::Kind::kValueAbsent, .error = EPERM, .argument = 0, .values = {AF_VSOCK}};
    return table;
  }
  std::vector<Verdict> table(kLastSyscall + 1, kAbsent);
  for (const uint32_t number : kRefusedByContainers) table[number] = kRefuse;
  table[SYS_ptrace] = kRefuse;
  for (const uint32_t number : kNeededByPrograms) table[number] = kAllow;
  AddConditions(table);
  AddModes(table);
  table[SYS_socket] = {
      .kind = Verdict::Kind::kValuePresent, .error = EPERM, .argument = 0, .values = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}};
  // Asking is harmless; setting switches protections off.
  table[SYS_personality] = {
      .kind = Verdict::Kind::kValuePresent, .error = EPERM, .argument = 0, .values = {PER_LINUX, 0xffff'ffff}};
  return table;
}

}  // namespace jobd::sandbox
