#include "cli/connect/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "base/fd.h"

namespace jobd::cli {

struct SignalThread::Impl {
  sigset_t previous{};
  base::Fd signals;
  base::Fd stop;
  std::function<void(int)> on_signal;
  HangUp hang_up;
  std::thread thread;

  void Run() {
    while (true) {
      std::array<pollfd, 3> wait{{{signals.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}, {hang_up.fd, 0, 0}}};
      if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) return;
      if ((wait[1].revents & POLLIN) != 0) return;
      signalfd_siginfo info{};
      if (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        on_signal(static_cast<int>(info.ssi_signo));
      if (wait[2].revents != 0) {
        hang_up.fd = -1;
        if ((wait[2].revents & POLLNVAL) == 0)
          hang_up.on_hang_up();  // POLLNVAL: the descriptor was never open, so there was no reader
      }
    }
  }
};

SignalThread::SignalThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::Result<std::unique_ptr<SignalThread>> SignalThread::Create(std::initializer_list<int> signals,
                                                                 std::function<void(int)> on_signal, HangUp hang_up) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  auto impl = std::make_unique<Impl>();
  impl->on_signal = std::move(on_signal);
  impl->hang_up = std::move(hang_up);
  impl->signals.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!impl->signals) return base::SysError("signalfd", errno);
  impl->stop.reset(::eventfd(0, EFD_CLOEXEC));
  if (!impl->stop) return base::SysError("eventfd", errno);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, &impl->previous); error != 0)
    return base::SysError("blocking signals", error);
  impl->thread = std::thread([inner = impl.get()] { inner->Run(); });
  return std::unique_ptr<SignalThread>(new SignalThread(std::move(impl)));
}

SignalThread::~SignalThread() {
  const uint64_t one = 1;
  if (::write(impl_->stop.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one)) impl_->thread.join();
  ::pthread_sigmask(SIG_SETMASK, &impl_->previous, nullptr);
}

}  // namespace jobd::cli
