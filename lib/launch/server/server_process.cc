#include "launch/server/server_process.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/process.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/files.h"
#include "launch/contract/frames.h"
#include "launch/process/clone.h"
#include "launch/server/server_child.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using Executor = asio::io_context::executor_type;
using Process = process::basic_process<Executor>;

// Above the number that the server's socket becomes, so that placing it cannot overwrite another.
base::Result<base::Fd> DuplicateHigh(int fd) {
  base::Fd high(::fcntl(fd, F_DUPFD_CLOEXEC, kServerSocketFd + 1));
  if (!high) return base::SysError("duplicating a descriptor for jobd-server", errno);
  return high;
}

// A launcher of Boost.Process, in place of its own ones, which run rich C++ between fork and exec, cannot drop privileges there,
// and execute by path.
class UnprivilegedLauncher {
 public:
  base::Result<Process> operator()(const Executor& executor, const ServerPlan& plan) const {
    // O_PATH needs no right to read; opened anew each time, so that an upgraded program is taken at the next start.
    JOBD_ASSIGN_OR_RETURN(const base::Fd program, base::OpenAt(AT_FDCWD, plan.program, O_PATH));
    JOBD_ASSIGN_OR_RETURN(const base::Fd program_high, DuplicateHigh(program.get()));
    JOBD_ASSIGN_OR_RETURN(const base::Fd socket_high, DuplicateHigh(plan.socket));
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
    const base::Fd report_reader(report[0]);
    base::Fd report_writer(report[1]);
    JOBD_ASSIGN_OR_RETURN(base::Fd report_high, DuplicateHigh(report_writer.get()));
    report_writer.reset();

    std::string name = "jobd-server";
    std::vector<std::string> arguments = plan.arguments;
    std::vector<char*> argv{name.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    char* const environment[] = {nullptr};
    ServerChildPlan child;
    child.report_fd = report_high.get();
    child.program_fd = program_high.get();
    child.socket_fd = socket_high.get();
    child.switch_user = plan.uid.has_value();
    child.uid = plan.uid.value_or(0);
    child.gid = plan.gid.value_or(0);
    child.argv = argv.data();
    child.environment = environment;

    JOBD_ASSIGN_OR_RETURN(Cloned cloned, CloneProcess());
    if (cloned.pid == 0) RunServerChild(child);
    Process server(executor, cloned.pid, cloned.pidfd.release());
    report_high.reset();
    int error = 0;
    ssize_t n = 0;
    do {
      n = ::read(report_reader.get(), &error, sizeof error);
    } while (n < 0 && errno == EINTR);
    if (n == sizeof error) return base::SysError("executing " + plan.program, error);
    return server;
  }
};

class Running final : public ServerProcess {
 public:
  Running(Process process, OnExit on_exit) : process_(std::move(process)), on_exit_(std::move(on_exit)) {}

  void Await() {
    process_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;  // destroyed: the destructor has killed it
      ended_ = true;
      on_exit_(base::ExitStatus::FromWait(process_.native_exit_code()));
    });
  }
  pid_t pid() const override { return process_.id(); }
  void Signal(int signal) override {
    if (!ended_) ::kill(process_.id(), signal);
  }

 private:
  mutable Process process_;
  OnExit on_exit_;
  bool ended_ = false;
};

class Watched final : public ServerProcess {
 public:
  Watched(asio::io_context& context, pid_t pid, base::Fd pidfd, OnExit on_exit)
      : pid_(pid), pidfd_(context, pidfd.release()), on_exit_(std::move(on_exit)) {
    pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (!error) on_exit_(std::nullopt);
    });
  }
  pid_t pid() const override { return pid_; }
  void Signal(int signal) override { ::syscall(SYS_pidfd_send_signal, pidfd_.native_handle(), signal, nullptr, 0); }

 private:
  const pid_t pid_;
  asio::posix::stream_descriptor pidfd_;
  OnExit on_exit_;
};

}  // namespace

base::Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(asio::io_context& context, const ServerPlan& plan,
                                                                  OnExit on_exit) {
  JOBD_ASSIGN_OR_RETURN(Process process, UnprivilegedLauncher()(context.get_executor(), plan));
  auto running = std::make_unique<Running>(std::move(process), std::move(on_exit));
  running->Await();
  return std::unique_ptr<ServerProcess>(std::move(running));
}

std::unique_ptr<ServerProcess> ServerProcess::Watch(asio::io_context& context, pid_t pid, base::Fd pidfd, OnExit on_exit) {
  return std::make_unique<Watched>(context, pid, std::move(pidfd), std::move(on_exit));
}

}  // namespace jobd::launch
