#include "logging/standard_error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/files.h"

namespace jobd::logging {

StandardError::StandardError(int fd) : fd_(fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return;
  is_file_ = S_ISREG(info.st_mode);
  is_socket_ = S_ISSOCK(info.st_mode);
  if (is_file_ || is_socket_) return;
  // O_NONBLOCK on the descriptor that we were given would hold for all who have it. Where we may not open it, its readiness is
  // asked for before each line.
  own_.reset(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool StandardError::Put(std::string_view line) {
  if (is_file_) return base::WriteAll(fd_, line).ok();
  if (torn_ && Write("\n") != 1) return false;
  torn_ = false;
  const long written = Write(line);
  if (written <= 0) return false;
  torn_ = static_cast<size_t>(written) < line.size();
  return true;
}

long StandardError::Write(std::string_view bytes) const {
  for (;;) {
    long written = 0;
    if (is_socket_) {
      written = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (own_) {
      written = ::write(own_.get(), bytes.data(), bytes.size());
    } else {
      // POLLOUT of a pipe: it takes PIPE_BUF bytes.
      constexpr size_t kPipeBuf = 4096;
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return -1;
      written = ::write(fd_, bytes.data(), std::min(bytes.size(), kPipeBuf));
    }
    if (written >= 0 || errno != EINTR) return written;
  }
}

}  // namespace jobd::logging
