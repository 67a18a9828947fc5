#include "auth/password_input.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "auth/password.h"
#include "base/fd.h"
#include "base/files.h"

namespace jobd::auth {

namespace {

base::Result<std::string> ReadLine(int in, size_t most) {
  std::string line;
  line.reserve(most + 2);  // so that it never moves, leaving a copy behind
  for (;;) {
    char c = 0;
    const ssize_t got = ::read(in, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SysError("reading the password", errno);
    if (got == 0 || c == '\n') break;
    if (line.size() > most) {
      Wipe(line);
      return base::Error(base::Code::kInvalidArgument, "a password has at most " + std::to_string(most) + " bytes");
    }
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// Signals wait and the terminal shows nothing, for as long as it lives.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    ::sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) ::sigaddset(&held_, signal);
    ::sigprocmask(SIG_BLOCK, &held_, &before_);
    signals_ = base::Fd(::signalfd(-1, &held_, SFD_CLOEXEC | SFD_NONBLOCK));
    ok_ = ::tcgetattr(terminal_, &shown_) == 0;
    if (!ok_) return;
    termios hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    hidden.c_lflag |= ECHONL;
    ok_ = ::tcsetattr(terminal_, TCSAFLUSH, &hidden) == 0;
  }
  // Signals that came meanwhile do what they do here, with the terminal as it was.
  ~Silence() {
    if (ok_) ::tcsetattr(terminal_, TCSAFLUSH, &shown_);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  bool ok() const { return ok_ && signals_; }
  // True when a line can be read, false when a signal waits.
  bool AwaitLine() const {
    std::array<pollfd, 2> wait{
        {{.fd = terminal_, .events = POLLIN, .revents = 0}, {.fd = signals_.get(), .events = POLLIN, .revents = 0}}};
    while (::poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
    }
    return wait[1].revents == 0;
  }

 private:
  int terminal_;
  sigset_t held_{};
  sigset_t before_{};
  base::Fd signals_;
  termios shown_{};
  bool ok_ = false;
};

base::Result<std::string> Ask(int in, int talk, const std::string& prompt, size_t most) {
  for (;;) {
    {
      const Silence silence(in);
      if (!silence.ok()) return base::Error(base::Code::kInternal, "the terminal cannot be kept from showing the password");
      JOBD_RETURN_IF_ERROR(base::WriteAll(talk, prompt));
      if (silence.AwaitLine()) return ReadLine(in, most);
    }
    // Stopped and continued: ask again.
  }
}

}  // namespace

base::Result<std::string> ReadPassword(int in, int talk, const std::string& prompt, size_t most) {
  return ::isatty(in) == 1 ? Ask(in, talk, prompt, most) : ReadLine(in, most);
}

base::Result<std::string> ReadNewPassword(int in, int talk, const std::string& prompt, size_t most) {
  if (::isatty(in) != 1) return ReadLine(in, most);
  JOBD_ASSIGN_OR_RETURN(std::string first, Ask(in, talk, prompt, most));
  if (first.empty()) return first;
  auto second = Ask(in, talk, "Once more: ", most);
  if (second.ok() && *second == first) {
    Wipe(*second);
    return first;
  }
  Wipe(first);
  if (!second.ok()) return std::move(second).error();
  Wipe(*second);
  return base::Error(base::Code::kInvalidArgument, "the two passwords differ: nothing was changed");
}

}  // namespace jobd::auth
