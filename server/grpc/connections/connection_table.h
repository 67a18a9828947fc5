// Which connections there are, so that no address takes all the places.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::server {

// A handshake has so long; gRPC ends the connection then.
inline constexpr base::Nanos kHandshakeLimit = 10 * base::kNanosPerSecond;

// Sockets given away to gRPC, which tells nobody when a handshake is over or a connection closed. An entry is a descriptor's number
// and the cookie that the kernel gave the socket (SO_COOKIE, socket(7): never used twice); it is live while that number still shows
// that cookie, and this is looked at only when a place is needed.
//
// A connection is taken for unfinished until it has served a call or is older than a handshake may take. Unfinished ones have half
// of an address's places, and half of all; there, and where an address or the service is full, the oldest unfinished one gives way:
// first those that were not even sent an answer, having sent half a hello or nothing. Established ones never do.
//
// Thread-safe.
class ConnectionTable {
 public:
  // `clock` outlives it.
  explicit ConnectionTable(const base::Clock& clock) : clock_(clock) {}

  // Makes room for one more from `peer`; false when there is none and the connection is to be refused.
  bool Admit(const sockaddr_storage& peer, size_t max_per_address, size_t max_total);
  // Records an admitted connection. `fd` is borrowed, and may be closed by others at any time.
  void Add(const sockaddr_storage& peer, int fd);
  // A call has come by the connection from `peer`, in gRPC's form: "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711".
  void OnServed(std::string_view peer);
  size_t size() const { return entries_.Lock()->total; }

 private:
  // Of IPv6, or IPv4 as mapped into it; and the port.
  struct Peer {
    std::array<uint8_t, 16> address{};
    in_port_t port = 0;
    bool operator==(const Peer&) const = default;
  };
  struct Entry {
    int fd = -1;
    uint64_t cookie = 0;
    Peer peer;
    base::Nanos accepted = 0;
    bool served = false;
  };
  // IPv6: a customer has a /64, so that is what counts as one address.
  using Share = std::string;
  using List = std::vector<Entry>;  // oldest first
  struct Entries {
    std::unordered_map<Share, List> by_share;
    size_t total = 0;
  };

  bool Unfinished(const Entry& entry, base::Nanos now) const { return !entry.served && now - entry.accepted <= kHandshakeLimit; }
  size_t CountUnfinished(const List& list, base::Nanos now) const;
  // Takes an entry out that is dead, or else an unfinished connection that it ends. False: there is neither.
  bool EvictOne(Entries& entries, List& list, base::Nanos now) const;
  static void Prune(Entries& entries, List& list);
  static Peer PeerOf(const sockaddr_storage& address);
  static std::optional<Peer> PeerOf(std::string_view address);
  static Share ShareOf(const Peer& peer);
  static Entry* Find(Entries& entries, std::string_view peer);

  const base::Clock& clock_;
  base::Guarded<Entries> entries_;
};

}  // namespace jobd::server
