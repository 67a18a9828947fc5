#include "base/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace jobd::base {
namespace {

constexpr int kBacklog = 1024;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  void SetPort(uint16_t port) {
    if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
    if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
  }
  uint16_t port() const {
    if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
};

Result<Address> ParseNumeric(const std::string& host, uint16_t port) {
  Address address;
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage); ::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.length = sizeof *v4;
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
             ::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address.length = sizeof *v6;
  } else {
    return Error(Code::kInvalidArgument, "an address is NUMERIC-HOST:PORT or localhost:PORT");
  }
  address.SetPort(port);
  return address;
}

Result<std::vector<Address>> Parse(const std::string& where) {
  const size_t colon = where.rfind(':');
  const std::string port_text = colon == std::string::npos ? "" : where.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) {
    return Error(Code::kInvalidArgument, "an address is HOST:PORT, as in 127.0.0.1:7443").WithContext(where);
  }
  std::string host = where.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::vector<Address> addresses;
  const std::vector<std::string> hosts = host == "localhost" ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector{host};
  for (const std::string& numeric : hosts) {
    auto address = ParseNumeric(numeric, port);
    if (!address.ok()) return std::move(address).error().WithContext(where);
    addresses.push_back(*address);
  }
  return addresses;
}

Result<Address> BoundTo(int socket) {
  Address address;
  address.length = sizeof address.storage;
  if (::getsockname(socket, address.get(), &address.length) != 0) return SysError("reading the bound address", errno);
  return address;
}

std::string Text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  const bool v6 = address.family() == AF_INET6;
  const void* bytes = v6 ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr)
                         : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr);
  ::inet_ntop(address.family(), bytes, host.data(), host.size());
  return (v6 ? "[" + std::string(host.data()) + "]" : std::string(host.data())) + ":" + std::to_string(address.port());
}

Result<Fd> ListenOn(Address& at) {
  Fd fd(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return SysError("making a socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // One socket a family: with both bound to a port neither may take the other's connections.
  if (at.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), at.get(), at.length) != 0) return SysError("binding", errno);
  if (::listen(fd.get(), kBacklog) != 0) return SysError("listening", errno);
  return fd;
}

bool IsListening(int fd) {
  int listening = 0;
  socklen_t length = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

}  // namespace

Result<Listener> Listen(const std::string& where) {
  JOBD_ASSIGN_OR_RETURN(std::vector<Address> addresses, Parse(where));
  Listener listener;
  uint16_t port = 0;
  for (Address& address : addresses) {
    if (port != 0) address.SetPort(port);
    auto fd = ListenOn(address);
    if (!fd.ok()) {
      // Of localhost's families one may be switched off here; what is taken by another is an error.
      const int code = fd.error().sys_errno();
      const bool absent = code == EADDRNOTAVAIL || code == EAFNOSUPPORT;
      if (absent && (&address != &addresses.back() || !listener.sockets.empty())) continue;
      return std::move(fd).error().WithContext(where);
    }
    if (listener.sockets.empty()) {
      JOBD_ASSIGN_OR_RETURN(const Address bound, BoundTo(fd->get()));
      port = bound.port();
      listener.address = Text(bound);
    }
    listener.sockets.push_back(*std::move(fd));
  }
  return listener;
}

Status CheckListenAddress(const std::string& where) {
  const auto addresses = Parse(where);
  return addresses.ok() ? Ok() : Status(addresses.error());
}

Result<Fd> ListenUnix(int dir, const std::string& name, mode_t mode) {
  sockaddr_un address{};
  if (name.empty() || name.size() >= sizeof address.sun_path || name.find('/') != std::string::npos) {
    return Error(Code::kInvalidArgument, "'" + name + "' cannot be a socket's name");
  }
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  struct stat old {};
  if (::fstatat(dir, name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(old.st_mode)) ::unlinkat(dir, name.c_str(), 0);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return SysError("making a socket", errno);
  const Fd before(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!before || ::fchdir(dir) != 0) return SysError("going to the socket's folder", errno);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  if (::fchdir(before.get()) != 0) return SysError("coming back from the socket's folder", errno);
  if (bound != 0) return SysError("binding " + name, bound);
  // Before anybody can connect, and whatever the umask.
  if (::fchmodat(dir, name.c_str(), mode, 0) != 0) return SysError("setting the mode of " + name, errno);
  if (::listen(fd.get(), kBacklog) != 0) return SysError("listening on " + name, errno);
  return fd;
}

bool IsLoopback(const std::string& where) {
  const auto addresses = where.starts_with("localhost:") ? Result<std::vector<Address>>(std::vector<Address>()) : Parse(where);
  if (!addresses.ok() || addresses->size() != 1) return false;
  const sockaddr_storage& storage = addresses->front().storage;
  if (storage.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

Result<Listener> AdoptListeners(std::vector<Fd> sockets) {
  if (sockets.empty()) return Error(Code::kFailedPrecondition, "no listening socket was given");
  for (const Fd& socket : sockets) {
    if (!IsListening(socket.get())) return Error(Code::kFailedPrecondition, "what was given is no listening socket");
  }
  JOBD_ASSIGN_OR_RETURN(const Address bound, BoundTo(sockets.front().get()));
  return Listener{.sockets = std::move(sockets), .address = Text(bound)};
}

Result<Fd> ConnectTo(const std::string& address, int timeout_ms) {
  JOBD_ASSIGN_OR_RETURN(std::vector<Address> parsed, Parse(address));
  Address& to = parsed.front();
  if (to.family() == AF_INET) {
    auto& host = reinterpret_cast<sockaddr_in*>(&to.storage)->sin_addr;
    if (host.s_addr == htonl(INADDR_ANY)) host.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    auto& host = reinterpret_cast<sockaddr_in6*>(&to.storage)->sin6_addr;
    if (IN6_IS_ADDR_UNSPECIFIED(&host)) host = in6addr_loopback;
  }
  Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return SysError("making a socket", errno);
  const timeval timeout{.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (::connect(fd.get(), to.get(), to.length) != 0) return SysError("connecting", errno);
  return fd;
}

}  // namespace jobd::base
