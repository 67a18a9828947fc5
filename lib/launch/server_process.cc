#include "launch/server_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/process.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/files.h"
#include "launch/clone.h"
#include "launch/server_child.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using Executor = asio::io_context::executor_type;
using Process = process::basic_process<Executor>;

// Above all numbers that the server's descriptors become, so that placing one cannot overwrite another.
base::Result<base::Fd> DuplicateHigh(int fd) {
  constexpr int kHigh = 16;
  base::Fd high(::fcntl(fd, F_DUPFD_CLOEXEC, kHigh));
  if (!high) return base::SysError("duplicating a descriptor for jobd-server", errno);
  return high;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A launcher of Boost.Process, in place of its own ones, which run rich C++ between fork and exec, cannot drop privileges there,
// and execute by path.
class UnprivilegedLauncher {
 public:
  base::Result<Process> operator()(const Executor& executor, const ServerPlan& plan) const {
    // O_PATH needs no right to read; opened anew each time, so that an upgraded program is taken at the next start.
    JOBD_ASSIGN_OR_RETURN(const base::Fd program, base::OpenAt(AT_FDCWD, plan.program, O_PATH));
    std::vector<int> given{plan.socket, plan.state_dir, plan.log_dir, plan.runtime_dir};
    given.insert(given.end(), plan.listening.begin(), plan.listening.end());
    if (given.size() > kMaxServerFds) return base::Error(base::Code::kInternal, "too many listening sockets");
    std::vector<base::Fd> high;
    for (const int fd : given) {
      JOBD_ASSIGN_OR_RETURN(base::Fd duplicate, DuplicateHigh(fd));
      high.push_back(std::move(duplicate));
    }
    JOBD_ASSIGN_OR_RETURN(const base::Fd program_high, DuplicateHigh(program.get()));
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
    const base::Fd report_reader(report[0]);
    base::Fd report_writer(report[1]);
    JOBD_ASSIGN_OR_RETURN(base::Fd report_high, DuplicateHigh(report_writer.get()));
    report_writer.reset();

    std::vector<std::string> argv_texts = plan.argv;
    std::vector<std::string> environment_texts = plan.environment;
    const std::vector<char*> argv = Pointers(argv_texts);
    const std::vector<char*> environment = Pointers(environment_texts);
    ServerChildPlan child;
    child.report_fd = report_high.get();
    child.program_fd = program_high.get();
    for (const base::Fd& fd : high) child.fds[child.fd_count++] = fd.get();
    child.switch_user = plan.uid.has_value();
    child.uid = plan.uid.value_or(0);
    child.gid = plan.gid.value_or(0);
    child.argv = argv.data();
    child.environment = environment.data();

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
  Running(Process process, std::function<void(base::ExitStatus)> on_exit)
      : process_(std::move(process)), on_exit_(std::move(on_exit)) {}

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
  std::function<void(base::ExitStatus)> on_exit_;
  bool ended_ = false;
};

}  // namespace

base::Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(asio::io_context& context, const ServerPlan& plan,
                                                                  std::function<void(base::ExitStatus)> on_exit) {
  JOBD_ASSIGN_OR_RETURN(Process process, UnprivilegedLauncher()(context.get_executor(), plan));
  auto running = std::make_unique<Running>(std::move(process), std::move(on_exit));
  running->Await();
  return std::unique_ptr<ServerProcess>(std::move(running));
}

}  // namespace jobd::launch
