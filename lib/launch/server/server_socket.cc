#include "launch/server/server_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include "launch/contract/frames.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

// More than one waits only while something is wrong.
constexpr int kBacklog = 8;
constexpr std::chrono::milliseconds kShortage{100};  // of descriptors: nothing tells when there are some again

bool IsAlive(const base::Fd& pidfd) {
  pollfd ended{pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

// Made under another name and renamed, so that the name is never there without a listener, nor with another mode.
base::Result<base::Fd> ListenIn(int dir) {
  base::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return base::SysError("making a socket", errno);
  // bind(2) gives the name this mode, and our fsuid as its owner.
  if (::fchmod(socket.get(), 0600) != 0) return base::SysError("setting a socket's mode", errno);
  const std::string name = std::string(kServerSocketName) + ".new";
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  // By the descriptor: the path may be longer than an address, and lead elsewhere by now.
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name.c_str());
  if (::unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT) return base::SysError("removing " + name, errno);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return base::SysError("binding " + name, errno);
  }
  if (::listen(socket.get(), kBacklog) != 0) return base::SysError("listening at " + name, errno);
  if (::renameat(dir, name.c_str(), dir, kServerSocketName) != 0) return base::SysError("renaming " + name, errno);
  return socket;
}

}  // namespace

base::Result<std::unique_ptr<ServerSocket>> ServerSocket::Listen(asio::io_context& context, const ServerSocketOptions& options,
                                                                 ServerSocketHooks hooks) {
  const ScopedFsCredentials acting(options.owner);
  JOBD_ASSIGN_OR_RETURN(base::Fd socket, ListenIn(options.dir));
  return std::unique_ptr<ServerSocket>(new ServerSocket(context, std::move(socket), options, std::move(hooks)));
}

ServerSocket::ServerSocket(asio::io_context& context, base::Fd socket, const ServerSocketOptions& options, ServerSocketHooks hooks)
    : options_(options), hooks_(std::move(hooks)), socket_(context, socket.release()), pause_(context) {
  AwaitConnection();
}

ServerSocket::~ServerSocket() {
  const ScopedFsCredentials acting(options_.owner);
  ::unlinkat(options_.dir, kServerSocketName, 0);
}

void ServerSocket::AwaitConnection() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    if (Accept()) return AwaitConnection();
    pause_.expires_after(kShortage);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) AwaitConnection();
    });
  });
}

bool ServerSocket::Accept() {
  base::Fd connection(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // Without descriptors the connection stays in the queue.
  if (!connection) return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
  auto server = Examine(std::move(connection));
  base::Fd last(server.ok() ? ::fcntl(server->pidfd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  if (server.ok() && !last) server = base::SysError("keeping hold of its process", errno);
  if (!server.ok()) {
    hooks_.report("refused a connection to " + std::string(kServerSocketName) + ": " + server.error().message());
    return true;
  }
  last_ = std::move(last);
  hooks_.on_server(*std::move(server));
  return true;
}

base::Result<ConnectedServer> ServerSocket::Examine(base::Fd connection) const {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return base::SysError("asking who it is", errno);
  }
  if (peer.uid != options_.server_uid) {
    return base::Error(base::Code::kPermissionDenied, "it is of uid " + std::to_string(peer.uid) + ", not of the server's");
  }
  if (last_ && IsAlive(last_)) return base::Error(base::Code::kAlreadyExists, "another server is alive");
  ConnectedServer server{.socket = std::move(connection), .pid = peer.pid, .pidfd = {}};
  server.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
  if (!server.pidfd) return base::SysError("taking hold of its process", errno);
  // Whoever connected may have ended since and its number be another's: ours to signal is only what runs as the server's account.
  JOBD_ASSIGN_OR_RETURN(const auto uid, sandbox::UidOf(peer.pid));
  if (uid != options_.server_uid || !IsAlive(server.pidfd)) {
    return base::Error(base::Code::kUnavailable, "its process has ended");
  }
  return server;
}

}  // namespace jobd::launch
