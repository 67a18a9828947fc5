#include "server/grpc/connections/accept_loop.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace jobd::server {
namespace {

// A shortage of memory or descriptors has no event that ends it; this is how often it is looked at while it lasts.
constexpr int kShortageMs = 50;

base::Fd OpenSpare() { return base::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Half of the descriptors are for connections; the rest for logs, the database and whatever a call needs. Looked up each time, as
// prlimit(2) may change it.
size_t MaxConnections() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 65536;
  return std::max<size_t>(8, limit.rlim_cur / 2);
}

// "127.0.0.1:4711", "[::1]:4711".
std::string PeerOf(const sockaddr_storage& peer) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&peer), sizeof peer, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const bool v6 = peer.ss_family == AF_INET6;
  return (v6 ? "[" : "") + std::string(host.data()) + (v6 ? "]:" : ":") + port.data();
}

}  // namespace

base::Result<std::unique_ptr<AcceptLoop>> AcceptLoop::Start(base::Listener listener, std::unique_ptr<Acceptor> acceptor,
                                                            ConnectionTable& connections, uint32_t max_per_address,
                                                            OnRefused on_refused) {
  base::Fd stop(eventfd(0, EFD_CLOEXEC));
  base::Fd spare = OpenSpare();
  if (!stop || !spare) return base::SysError("making the accept loop's descriptors", errno);
  std::unique_ptr<AcceptLoop> loop(new AcceptLoop(std::move(listener), std::move(acceptor), connections, max_per_address,
                                                  std::move(on_refused), std::move(stop), std::move(spare)));
  loop->thread_ = std::thread([raw = loop.get()] {
    pthread_setname_np(pthread_self(), "accept");
    raw->Run();
  });
  return loop;
}

AcceptLoop::AcceptLoop(base::Listener listener, std::unique_ptr<Acceptor> acceptor, ConnectionTable& connections,
                       uint32_t max_per_address, OnRefused on_refused, base::Fd stop, base::Fd spare)
    : listener_(std::move(listener)),
      acceptor_(std::move(acceptor)),
      connections_(connections),
      max_per_address_(max_per_address),
      on_refused_(std::move(on_refused)),
      stop_(std::move(stop)),
      spare_(std::move(spare)) {}

AcceptLoop::~AcceptLoop() {
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void AcceptLoop::Run() {
  std::vector<pollfd> watched;
  watched.push_back({stop_.get(), POLLIN, 0});
  for (const base::Fd& socket : listener_.sockets) watched.push_back({socket.get(), POLLIN, 0});
  bool shortage = false;
  for (;;) {
    // During a shortage only the stop event ends the wait: the sockets stay readable and would make it spin.
    const auto count = static_cast<nfds_t>(shortage ? 1 : watched.size());
    if (poll(watched.data(), count, shortage ? kShortageMs : -1) < 0 && errno != EINTR) shortage = true;
    if ((watched.front().revents & POLLIN) != 0) return;
    shortage = false;
    for (size_t i = 1; i < watched.size(); ++i) {
      while (!shortage && AcceptOne(watched[i].fd, shortage)) {
      }
    }
  }
}

bool AcceptLoop::AcceptOne(int listening, bool& shortage) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  base::Fd connection(accept4(listening, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection) {
    switch (errno) {
      case EAGAIN: return false;
      case EMFILE: RefuseWithSpare(listening); [[fallthrough]];
      case ENFILE:
      case ENOMEM:
      case ENOBUFS: shortage = true; return false;
      // accept(2): errors of the connection itself, which is gone, are told here; the next one is another.
      default: return errno != EBADF && errno != ENOTSOCK && errno != EINVAL;
    }
  }
  const size_t max_per_address = std::max<uint32_t>(1, max_per_address_.load(std::memory_order_relaxed));
  if (!connections_.Admit(peer, max_per_address, MaxConnections())) {
    if (on_refused_) on_refused_(PeerOf(peer), "its address, or the service, has too many connections");
    return true;
  }
  connections_.Add(peer, connection.get());
  const int on = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(connection.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  Acceptor::NewConnectionParameters parameters;
  parameters.listener_fd = listening;
  parameters.fd = connection.release();
  acceptor_->HandleNewConnection(&parameters);
  return true;
}

void AcceptLoop::RefuseWithSpare(int listening) {
  spare_.reset();
  // Closed at once: the client is told now, instead of hanging in the backlog. And before the spare is opened again, for which it
  // makes room.
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const bool refused = static_cast<bool>(base::Fd(accept4(listening, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC)));
  spare_ = OpenSpare();
  if (refused && on_refused_) on_refused_(PeerOf(peer), "there are no file descriptors left");
}

}  // namespace jobd::server
