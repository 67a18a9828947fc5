#include "sandbox/isolation/mount_view.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "base/files.h"
#include "sandbox/isolation/view_builder.h"

namespace jobd::sandbox {

namespace {

// The builder's answer: descriptors, which are ours too as it shares our table, or an error.
struct Built {
  int mounts = -1;
  int users = -1;
  int machine_tmp = -1;
  int machine_var_tmp = -1;
  int accounts = -1;
  int error = 0;
  char doing[192] = {};
};

void Build(const ViewOptions& options, uid_t uid, gid_t gid, Built& built) {
  MountView view;
  auto status = BuildView(options, uid, gid, view);
  if (!status.ok()) {
    built.error = status.error().sys_errno() != 0 ? status.error().sys_errno() : EINVAL;
    status.error().message().copy(built.doing, sizeof built.doing - 1);
    return;
  }
  built.mounts = view.mounts.release();
  built.users = view.users.release();
  built.machine_tmp = view.machine_tmp.release();
  built.machine_var_tmp = view.machine_var_tmp.release();
  built.accounts = view.accounts.release();
}

}  // namespace

base::Result<MountView> MakeMountView(const ViewOptions& options) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
  const base::Fd reader(ends[0]);
  base::Fd writer(ends[1]);
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();

  const pid_t parent = ::getpid();
  clone_args args{};
  args.flags = CLONE_FILES;
  args.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return base::SysError("creating a process", errno);
  if (pid == 0) {
    // A process that shares the table holds jobd's locks, too: should jobd be killed now, the next one must not find them taken.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    Built built;
    Build(options, uid, gid, built);
    (void)!::write(writer.get(), &built, sizeof built);
    ::_exit(0);
  }
  // Sharing the table, we must not close the writer before the builder has ended.
  int status = 0;
  while (::waitpid(static_cast<pid_t>(pid), &status, 0) < 0 && errno == EINTR) {
  }
  writer.reset();
  Built built;
  if (::read(reader.get(), &built, sizeof built) != sizeof built) {
    return base::Error(base::Code::kResourceExhausted, "making the jobs' file system: the process that made it was ended");
  }
  if (built.error != 0) {
    const bool passes =
        base::SysError("", built.error).code() == base::Code::kResourceExhausted || built.error == EUSERS || built.error == ENOBUFS;
    return base::Error(passes ? base::Code::kResourceExhausted : base::Code::kFailedPrecondition, built.doing)
        .WithErrno(built.error)
        .WithContext("making the jobs' file system");
  }
  MountView view;
  view.mounts.reset(built.mounts);
  view.users.reset(built.users);
  view.machine_tmp.reset(built.machine_tmp);
  view.machine_var_tmp.reset(built.machine_var_tmp);
  view.accounts.reset(built.accounts);
  return view;
}

}  // namespace jobd::sandbox
