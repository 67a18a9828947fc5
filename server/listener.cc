#include "server/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <memory>

namespace jobd::server {
namespace {

constexpr int kBacklog = 1024;

struct HostPort {
  std::string host;
  std::string port;
};

base::Result<HostPort> Split(const std::string& where) {
  const size_t colon = where.rfind(':');
  if (colon == std::string::npos || colon + 1 == where.size()) {
    return base::Error(base::Code::kInvalidArgument, "an address is HOST:PORT");
  }
  std::string host = where.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return HostPort{host, where.substr(colon + 1)};
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

base::Result<AddressList> Resolve(const HostPort& where, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(where.host.empty() ? nullptr : where.host.c_str(), where.port.c_str(), &hints, &list);
  if (failed != 0) return base::Error(base::Code::kUnavailable, std::string("resolving the host: ") + gai_strerror(failed));
  return AddressList(list, &freeaddrinfo);
}

base::Result<HostPort> BoundTo(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getsockname(socket, address, &length) != 0) return base::SysError("reading the bound address", errno);
  if (getnameinfo(address, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return base::Error(base::Code::kInternal, "the bound address has no text");
  }
  return HostPort{host, port};
}

void SetPort(sockaddr* address, uint16_t port) {
  if (address->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  if (address->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
}

base::Result<base::Fd> ListenOn(const addrinfo& at) {
  base::Fd fd(socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::SysError("making a socket", errno);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // One socket a family: with both bound to a port neither may take the other's connections.
  if (at.ai_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd.get(), at.ai_addr, at.ai_addrlen) != 0) return base::SysError("binding", errno);
  if (listen(fd.get(), kBacklog) != 0) return base::SysError("listening", errno);
  return fd;
}

}  // namespace

base::Result<Listener> Listen(const std::string& where) {
  JOBD_ASSIGN_OR_RETURN(const HostPort wanted, Split(where));
  JOBD_ASSIGN_OR_RETURN(const AddressList list, Resolve(wanted, AI_PASSIVE));
  Listener listener;
  uint16_t port = 0;
  for (addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    if (port != 0) SetPort(at->ai_addr, port);
    auto fd = ListenOn(*at);
    if (!fd.ok()) {
      // A name may have an address of a family that is switched off here; what is taken by another is an error.
      const int code = fd.error().sys_errno();
      if (at->ai_next == nullptr && listener.sockets.empty()) return std::move(fd).error().WithContext(where);
      if (code == EADDRNOTAVAIL || code == EAFNOSUPPORT) continue;
      return std::move(fd).error().WithContext(where);
    }
    if (listener.sockets.empty()) {
      JOBD_ASSIGN_OR_RETURN(const HostPort bound, BoundTo(fd->get()));
      port = static_cast<uint16_t>(std::stoi(bound.port));
      const bool v6 = bound.host.find(':') != std::string::npos;
      listener.address = (v6 ? "[" + bound.host + "]" : bound.host) + ":" + bound.port;
    }
    listener.sockets.push_back(*std::move(fd));
  }
  return listener;
}

base::Result<base::Fd> ConnectTo(const std::string& address, int timeout_ms) {
  JOBD_ASSIGN_OR_RETURN(HostPort where, Split(address));
  if (where.host == "0.0.0.0") where.host = "127.0.0.1";
  if (where.host == "::") where.host = "::1";
  JOBD_ASSIGN_OR_RETURN(const AddressList list, Resolve(where, AI_NUMERICHOST));
  base::Fd fd(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::SysError("making a socket", errno);
  const timeval timeout{.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (connect(fd.get(), list->ai_addr, list->ai_addrlen) != 0) return base::SysError("connecting", errno);
  return fd;
}

}  // namespace jobd::server
