#include "server/grpc/connections/connection_table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>  // not netinet/tcp.h, whose tcp_info stops short of bytes_sent

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/fd.h"

namespace jobd::server {
namespace {

// 0 when fd is no open socket.
uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

// A descriptor of our own for the connection, whose cookie is looked at again: the number may have become another file's since.
base::Fd Hold(int fd, uint64_t cookie) {
  base::Fd socket(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (socket && CookieOf(socket.get()) != cookie) socket.reset();
  return socket;
}

// TLS answers a whole hello.
bool WasAnswered(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_bytes_sent > 0;
}

// What is still to be read would keep gRPC busy, and shutdown(2) leaves it there; connect(2) to no address takes it away as well.
void Abort(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  if (connect(fd, &nobody, sizeof nobody) != 0) shutdown(fd, SHUT_RDWR);
}

}  // namespace

ConnectionTable::Peer ConnectionTable::PeerOf(const sockaddr_storage& address) {
  Peer peer;
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::memcpy(peer.address.data(), &v6.sin6_addr, peer.address.size());
    peer.port = ntohs(v6.sin6_port);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    peer.address[10] = peer.address[11] = 0xff;
    std::memcpy(&peer.address[12], &v4.sin_addr, 4);
    peer.port = ntohs(v4.sin_port);
  }
  return peer;
}

std::optional<ConnectionTable::Peer> ConnectionTable::PeerOf(std::string_view address) {
  const bool v4 = address.starts_with("ipv4:");
  if (!v4 && !address.starts_with("ipv6:")) return std::nullopt;
  const size_t colon = address.rfind(':');
  std::string host(address.substr(5, colon - 5));
  const std::string_view digits = address.substr(colon + 1);
  for (const std::string_view bracket : {"%5B", "%5D", "[", "]"}) {
    if (const size_t at = host.find(bracket); at != std::string::npos) host.erase(at, bracket.size());
  }
  host.erase(std::min(host.find('%'), host.size()));  // a zone
  Peer peer;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), peer.port).ec != std::errc()) return std::nullopt;
  if (v4) peer.address[10] = peer.address[11] = 0xff;
  if (inet_pton(v4 ? AF_INET : AF_INET6, host.c_str(), v4 ? &peer.address[12] : peer.address.data()) != 1) return std::nullopt;
  return peer;
}

ConnectionTable::Share ConnectionTable::ShareOf(const Peer& peer) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto* const bytes = reinterpret_cast<const char*>(peer.address.data());
  if (std::equal(kMapped.begin(), kMapped.end(), peer.address.begin())) return {bytes + kMapped.size(), 4};
  return {bytes, 8};
}

size_t ConnectionTable::CountUnfinished(const List& list, base::Nanos now) const {
  return static_cast<size_t>(std::ranges::count_if(list, [&](const Entry& entry) { return Unfinished(entry, now); }));
}

void ConnectionTable::Prune(Entries& entries, List& list) {
  entries.total -= std::erase_if(list, [](const Entry& entry) { return CookieOf(entry.fd) != entry.cookie; });
}

bool ConnectionTable::EvictOne(Entries& entries, List& list, base::Nanos now) const {
  const auto take = [&](List::iterator entry) {
    list.erase(entry);
    --entries.total;
    return true;
  };
  auto oldest = list.end();
  for (auto entry = list.begin(); entry != list.end(); ++entry) {
    if (!Unfinished(*entry, now)) continue;
    const base::Fd socket = Hold(entry->fd, entry->cookie);
    if (!socket) return take(entry);
    if (WasAnswered(socket.get())) {
      if (oldest == list.end()) oldest = entry;
      continue;
    }
    Abort(socket.get());
    return take(entry);
  }
  if (oldest == list.end()) return false;
  if (const base::Fd socket = Hold(oldest->fd, oldest->cookie)) Abort(socket.get());
  return take(oldest);
}

bool ConnectionTable::Admit(const sockaddr_storage& peer, size_t max_per_address, size_t max_total) {
  const base::Nanos now = clock_.Monotonic();
  const auto entries = entries_.Lock();
  const auto own = entries->by_share.find(ShareOf(PeerOf(peer)));
  if (own != entries->by_share.end()) {
    List& list = own->second;
    if (CountUnfinished(list, now) >= std::max<size_t>(1, max_per_address / 2)) EvictOne(*entries, list, now);
    if (list.size() >= max_per_address) Prune(*entries, list);
    if (list.size() >= max_per_address && !EvictOne(*entries, list, now)) return false;
  }
  if (entries->total < max_total / 2) return true;
  // Whoever has the most that is unfinished pays.
  List* worst = nullptr;
  size_t most = 0;
  size_t unfinished = 0;
  for (auto& [share, list] : entries->by_share) {
    if (entries->total >= max_total) Prune(*entries, list);
    const size_t count = CountUnfinished(list, now);
    unfinished += count;
    if (count <= most) continue;
    most = count;
    worst = &list;
  }
  if (worst != nullptr && (unfinished >= std::max<size_t>(1, max_total / 2) || entries->total >= max_total)) {
    EvictOne(*entries, *worst, now);
  }
  std::erase_if(entries->by_share, [](const auto& item) { return item.second.empty(); });
  return entries->total < max_total;
}

void ConnectionTable::Add(const sockaddr_storage& address, int fd) {
  const Peer peer = PeerOf(address);
  const base::Nanos now = clock_.Monotonic();
  const auto entries = entries_.Lock();
  entries->by_share[ShareOf(peer)].push_back({fd, CookieOf(fd), peer, now});
  ++entries->total;
}

ConnectionTable::Entry* ConnectionTable::Find(Entries& entries, std::string_view address) {
  const auto peer = PeerOf(address);
  if (!peer) return nullptr;
  const auto list = entries.by_share.find(ShareOf(*peer));
  if (list == entries.by_share.end()) return nullptr;
  // The newest: one before it from the same port is gone.
  const auto found =
      std::find_if(list->second.rbegin(), list->second.rend(), [&](const Entry& entry) { return entry.peer == *peer; });
  return found == list->second.rend() ? nullptr : &*found;
}

void ConnectionTable::OnServed(std::string_view peer) {
  const auto entries = entries_.Lock();
  if (Entry* const entry = Find(*entries, peer)) entry->served = true;
}

}  // namespace jobd::server
