// Tries what an isolated job must not be able to do, and prints for each attempt its name and the errno it met: 0 when it worked.
// Harmless where nothing holds it back: arguments are such that the kernel would refuse them for another reason.
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>

namespace {

void Tell(const char* name, long answer) { std::printf("%s %d\n", name, answer < 0 ? errno : 0); }

template <typename... Args>
void Try(const char* name, long number, Args... args) {
  errno = 0;
  Tell(name, ::syscall(number, args...));
}

// In a child, which ends at once where it is born after all.
void TryClone(const char* name, unsigned long flags) {
  const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) ::_exit(0);
  Tell(name, pid);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
}

void TryClone3() {
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  Tell("clone3", pid);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
}

void TryLoopback() {
  const int server = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  const bool works = ::bind(server, generic, size) == 0 && ::listen(server, 1) == 0 && ::getsockname(server, generic, &size) == 0 &&
                     ::connect(client, generic, size) == 0;
  Tell("loopback", works ? 0 : -1);
}

void TryOutside() {
  // A datagram needs a route, and nobody at its end. 192.0.2.0/24 is for documentation (RFC 5737).
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(0xc0000201);
  Tell("route", ::connect(::socket(AF_INET, SOCK_DGRAM, 0), reinterpret_cast<sockaddr*>(&address), sizeof address));
}

#if defined(__x86_64__)
void TryOtherArchitectures() {
  long answer = 20;  // getpid of 32 bit
  asm volatile("int $0x80" : "+a"(answer) : : "memory", "r8", "r9", "r10", "r11");
  if (answer < 0) errno = static_cast<int>(-answer);
  Tell("int80", answer < 0 ? -1 : 0);
  Try("x32", 0x40000000 | SYS_getpid);
}
#endif

}  // namespace

int main() {
  char byte = 'x';
  iovec io{&byte, 1};
  Try("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr);
  Try("umount", SYS_umount2, "/proc", MNT_DETACH);
  Try("pivot_root", SYS_pivot_root, ".", ".");
  Try("chroot", SYS_chroot, ".");
  Try("open_tree", SYS_open_tree, AT_FDCWD, "/", 1);
  Try("fsopen", SYS_fsopen, "proc", 0);
  Try("unshare_user", SYS_unshare, CLONE_NEWUSER);
  Try("unshare_high", SYS_unshare, 0x1'0000'0000L | CLONE_NEWUSER);
  Try("unshare_files", SYS_unshare, CLONE_FILES);
  Try("setns", SYS_setns, -1, 0);
  TryClone("clone_user", CLONE_NEWUSER);
  TryClone("clone_plain", 0);
  TryClone3();
  Try("bpf", SYS_bpf, 0, nullptr, 0);
  Try("perf", SYS_perf_event_open, nullptr, 0, 0, -1, 0);
  Try("io_uring", SYS_io_uring_setup, 1, nullptr);
  Try("userfaultfd", SYS_userfaultfd, 0);
  Try("keyctl", SYS_keyctl, 0, -3, 0);
  Try("add_key", SYS_add_key, "user", "x", "x", 1, -3);
  Try("open_by_handle_at", SYS_open_by_handle_at, -1, nullptr, 0);
  Try("process_vm_readv", SYS_process_vm_readv, ::getpid(), &io, 1, &io, 1, 0);
  Try("reboot", SYS_reboot, 0, 0, 0, nullptr);
  Try("swapon", SYS_swapon, "/nowhere", 0);
  Try("acct", SYS_acct, "/nowhere");
  Try("clock_settime", SYS_clock_settime, 0, nullptr);
  Try("sethostname", SYS_sethostname, "x", 1);
  Try("syslog", SYS_syslog, 3, &byte, 1);
  Try("unknown", 1000);
  Try("getpid", SYS_getpid);
  Try("personality", SYS_personality, ADDR_NO_RANDOMIZE);
  Tell("vsock", ::socket(40, SOCK_STREAM, 0));
  // Of standard input, whatever it is: the filter speaks first.
  Tell("tiocsti", ::ioctl(0, TIOCSTI, &byte));
  Tell("tiocsti_high", ::syscall(SYS_ioctl, 0, 0x1'0000'0000L | TIOCSTI, &byte));
  Tell("tioclinux", ::ioctl(0, TIOCLINUX, &byte));
  Tell("tiocgwinsz", ::ioctl(0, TIOCGWINSZ, &byte));
  Tell("tty", ::open("/dev/tty", O_RDWR));
  Tell("mem", ::open("/dev/mem", O_RDONLY));
  Tell("mknod", ::mknod("/tmp/device", S_IFBLK | 0666, ::makedev(254, 0)));
  Tell("kcore", ::open("/proc/kcore", O_RDONLY));
  Tell("sysrq", ::open("/proc/sysrq-trigger", O_WRONLY));
  Tell("sysctl", ::open("/proc/sys/kernel/core_pattern", O_WRONLY));
  Tell("sys", ::open("/sys/kernel/uevent_helper", O_WRONLY));
  Tell("init_mem", ::open("/proc/1/mem", O_RDWR));
  Tell("init_environ", ::open("/proc/1/environ", O_RDONLY));
  Tell("init_exe", ::open("/proc/1/exe", O_WRONLY));
  Tell("init_root", ::open("/proc/1/root/etc", O_RDONLY));
  Tell("init_ptrace", ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr));
  TryLoopback();
  TryOutside();
#if defined(__x86_64__)
  TryOtherArchitectures();
#endif
  Tell("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
}
