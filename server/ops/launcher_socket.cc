#include "server/ops/launcher_socket.h"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jobd::server {

base::Result<base::Fd> ConnectToLauncher(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return base::Error(base::Code::kInvalidArgument, path + ": too long for a socket");
  std::copy(path.begin(), path.end(), address.sun_path);
  const size_t slash = path.rfind('/');
  const std::string dir = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  // Before the first attempt, so that none is missed. The launcher makes the name by a rename, when it listens.
  const base::Fd changes(::inotify_init1(IN_CLOEXEC));
  if (!changes) return base::SysError("making an inotify instance", errno);
  if (::inotify_add_watch(changes.get(), dir.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0)
    return base::SysError("watching " + dir, errno);
  for (;;) {
    base::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) return base::SysError("making a socket", errno);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    if (errno != ENOENT && errno != ECONNREFUSED) return base::SysError("connecting to " + path, errno);
    // Whatever has come: it is looked at again.
    alignas(inotify_event) std::array<char, 4096> events;
    const ssize_t size = ::read(changes.get(), events.data(), events.size());
    if (size < 0 && errno != EINTR) return base::SysError("watching " + dir, errno);
    if (size > 0 && (reinterpret_cast<const inotify_event*>(events.data())->mask & (IN_IGNORED | IN_UNMOUNT)) != 0) {
      return base::Error(base::Code::kUnavailable, dir + " is gone");
    }
  }
}

}  // namespace jobd::server
