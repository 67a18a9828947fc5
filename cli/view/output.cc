#include "cli/view/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace jobd::cli {

OutputStream::OutputStream(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {}

bool OutputStream::Write(std::string_view bytes) {
  while (!bytes.empty() && errno_ == 0) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      errno_ = errno;
    }
  }
  return errno_ == 0;
}

void OutputStream::ReaderGone() {
  int none = 0;
  errno_.compare_exchange_strong(none, EPIPE);
}

bool OutputStream::broken_pipe() const { return errno_ == EPIPE; }

base::Status OutputStream::status() const {
  if (errno_ == 0) return base::Ok();
  return base::SysError(fd_ == STDERR_FILENO ? "writing to standard error" : "writing to standard output", errno_);
}

size_t TerminalWidth(int fd) {
  constexpr size_t kUsual = 80;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

std::string Colored(std::string_view text, Color color) {
  const char* code = "";
  switch (color) {
    case Color::kNone: return std::string(text);
    case Color::kRed: code = "31"; break;
    case Color::kGreen: code = "32"; break;
    case Color::kYellow: code = "33"; break;
    case Color::kBlue: code = "34"; break;
    case Color::kGray: code = "90"; break;
    case Color::kBold: code = "1"; break;
  }
  return std::string("\033[") + code + "m" + std::string(text) + "\033[0m";
}

}  // namespace jobd::cli
