// How many connections each address holds, so that one cannot take them all.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace jobd::server {

// Sockets given away to gRPC, which tells nobody when it closes them. An entry is a descriptor's number and the cookie that the
// kernel gave the socket (SO_COOKIE, socket(7): never used twice); it is live while that number still shows that cookie, and this
// is looked at only when a limit is reached. Of an address that is at its limit, or of all when the total is, the oldest connection
// that has not sent enough to have finished a handshake makes room; so those who never speak do not shut out those who do.
// Not thread-safe: the accept loop's.
class ConnectionTable {
 public:
  // Makes room for one more from `peer`; false when there is none and the connection is to be refused.
  bool Admit(const sockaddr_storage& peer, size_t max_per_address, size_t max_total);
  // Records an admitted connection. `fd` is borrowed, and may be closed by others at any time.
  void Add(const sockaddr_storage& peer, int fd);
  size_t size() const { return total_; }

 private:
  struct Entry {
    int fd = -1;
    uint64_t cookie = 0;
  };
  void Prune(std::vector<Entry>& entries);
  bool EvictSilent(std::vector<Entry>& entries);

  std::unordered_map<std::string, std::vector<Entry>> by_address_;  // oldest first
  size_t total_ = 0;
};

}  // namespace jobd::server
