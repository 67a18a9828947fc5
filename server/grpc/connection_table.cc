#include "server/grpc/connection_table.h"

#include <fcntl.h>
#include <linux/tcp.h>  // not netinet/tcp.h, whose tcp_info stops short of bytes_received

#include <algorithm>

#include "base/fd.h"

namespace jobd::server {
namespace {

// A client that has finished the handshake has sent its hello and its certificate, well over this. (A hello alone is below it
// unless it carries a large key share; such a one is taken for finished, and gRPC's handshake time-out ends it.)
constexpr uint64_t kSpokenBytes = 600;

// IPv6: a customer has a /64, so that is what counts as one.
std::string KeyOf(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
    return {reinterpret_cast<const char*>(&v6.sin6_addr), 8};
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
  return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof v4.sin_addr};
}

// 0 when fd is no open socket.
uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

}  // namespace

void ConnectionTable::Prune(std::vector<Entry>& entries) {
  total_ -= std::erase_if(entries, [](const Entry& entry) { return CookieOf(entry.fd) != entry.cookie; });
}

bool ConnectionTable::EvictSilent(std::vector<Entry>& entries) {
  for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
    // On a duplicate, whose cookie is looked at again: the number may have become another file's since.
    const base::Fd socket(fcntl(entry->fd, F_DUPFD_CLOEXEC, 0));
    if (!socket || CookieOf(socket.get()) != entry->cookie) continue;
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || info.tcpi_bytes_received >= kSpokenBytes) continue;
    shutdown(socket.get(), SHUT_RDWR);
    entries.erase(entry);
    --total_;
    return true;
  }
  return false;
}

bool ConnectionTable::Admit(const sockaddr_storage& peer, size_t max_per_address, size_t max_total) {
  const auto own = by_address_.find(KeyOf(peer));
  if (own != by_address_.end() && own->second.size() >= max_per_address) {
    Prune(own->second);
    if (own->second.size() >= max_per_address && !EvictSilent(own->second)) return false;
  }
  if (total_ < max_total) return true;
  for (auto& [address, entries] : by_address_) Prune(entries);
  std::erase_if(by_address_, [](const auto& item) { return item.second.empty(); });
  if (total_ < max_total) return true;
  // The address with the most connections pays.
  const auto largest = std::ranges::max_element(by_address_, {}, [](const auto& item) { return item.second.size(); });
  return largest != by_address_.end() && EvictSilent(largest->second);
}

void ConnectionTable::Add(const sockaddr_storage& peer, int fd) {
  by_address_[KeyOf(peer)].push_back({fd, CookieOf(fd)});
  ++total_;
}

}  // namespace jobd::server
