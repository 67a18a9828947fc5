#include "tests/e2e/harness/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace jobd::e2e {

namespace {

struct Pipe {
  base::Fd read;
  base::Fd write;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {base::Fd(ends[0]), base::Fd(ends[1])};
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Process::Process(const Command& command) : input_(command.input) {
  Pipe in = MakePipe();
  Pipe out = MakePipe();
  Pipe err = MakePipe();
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env;
  const auto given = [&command](const std::string& name) {
    return std::ranges::any_of(command.env, [&name](const auto& variable) { return variable.first == name; });
  };
  for (const char* name : {"PATH", "HOME"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && !given(name)) env.push_back(std::string(name) + "=" + value);
  }
  for (const auto& [name, value] : command.env) env.push_back(name + "=" + value);
  std::vector<char*> argv_pointers = Pointers(argv);
  std::vector<char*> env_pointers = Pointers(env);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in.read.get(), 0);
    ::dup2(out.write.get(), 1);
    ::dup2(err.write.get(), 2);
    ::signal(SIGPIPE, SIG_DFL);
    if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) ::_exit(127);
    ::execve(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    ::_exit(127);
  }
  if (pid_ < 0) std::abort();
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  ::signal(SIGPIPE, SIG_IGN);
  in_ = std::move(in.write);
  out_pipe_ = std::move(out.read);
  err_pipe_ = std::move(err.read);
  ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
  if (input_.empty()) in_.reset();
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      in_(std::move(other.in_)),
      out_pipe_(std::move(other.out_pipe_)),
      err_pipe_(std::move(other.err_pipe_)),
      input_(std::move(other.input_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

bool Process::Pump(std::chrono::steady_clock::time_point deadline) {
  if (!out_pipe_ && !err_pipe_) return false;
  std::array<pollfd, 3> polled{{{out_pipe_.get(), POLLIN, 0}, {err_pipe_.get(), POLLIN, 0}, {in_.get(), POLLOUT, 0}}};
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0 || ::poll(polled.data(), polled.size(), static_cast<int>(left)) <= 0) return false;
  const auto read = [](base::Fd& fd, std::string& text) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n > 0) {
      text.append(buffer.data(), static_cast<size_t>(n));
    } else {
      fd.reset();
    }
  };
  if (polled[0].revents != 0) read(out_pipe_, out_);
  if (polled[1].revents != 0) read(err_pipe_, err_);
  if (polled[2].revents != 0) {
    const ssize_t n = ::write(in_.get(), input_.data(), input_.size());
    if (n > 0) input_.erase(0, static_cast<size_t>(n));
    if (n < 0 || input_.empty()) in_.reset();
  }
  return true;
}

bool Process::WaitForOutput(const std::string& text, Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (out_.find(text) == std::string::npos) {
    if (!Pump(deadline)) return false;
  }
  return true;
}

bool Process::WaitForError(const std::string& text, Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (err_.find(text) == std::string::npos) {
    if (!Pump(deadline)) return false;
  }
  return true;
}

Output Process::Finish(Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (Pump(deadline)) {
  }
  pollfd ended{pidfd_.get(), POLLIN, 0};
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0 || ::poll(&ended, 1, static_cast<int>(left)) <= 0) ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return {base::ExitStatus::FromWait(status), std::move(out_), std::move(err_)};
}

Output RunCommand(const Command& command, Seconds patience) { return Process(command).Finish(patience); }

void Breathe() { ::poll(nullptr, 0, 2); }

}  // namespace jobd::e2e
