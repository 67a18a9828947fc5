// How many calls clients may have on their way through gRPC, and what ends a connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::server {

class AccessControl;
class ConnectionTable;
class HeapTrimmer;

// gRPC 1.51 makes a call of every HEADERS frame, hands it over through a queue without a bound, and lets a client take back
// (RST_STREAM) and begin as often as it likes: a hundred thousand calls in a second, none of which counts among the client's
// streams. So a call is counted from its frame until gRPC has given its memory back, for its connection, its user and all
// (TransportWatch tells of both), and:
//
//   a user has many calls, or little is free for one who has many     the next one is refused: kResourceExhausted, and a misuse
//   the same, twice as many; or a connection has kMaxOfConnection     no call is begun, and the connection is ended
//   more misuses than kMisusesOfConnection, or kMisusesOfUser         the connection is ended
//   more connections of a user than kMaxConnectionsOfUser             the newest is ended
//   headers that have no end, come to too much or cannot be read      the connection is ended
//
// A misuse is a call that is taken back or refused, for whatever reason: it costs about as much as one that is served, and no limit
// of calls in progress holds it. A connection that has no call may always begin one, and every connection has a few misuses
// whatever its user's others do: so those go on, and it is known whom to end.
//
// Thread-safe. What it is told of a connection that it does not know, or has been told is closed, it ignores.
class ConnectionGuard {
 public:
  // Of one user, or twice as many as may be in progress (CallLimits) if that is more: the others wait to be begun or to be done
  // with. Of all it is four times that; and a user may have at most as many as stay free.
  static constexpr uint32_t kLeastMaxOfUser = 1024;
  // Of one connection: four times what it may have by its SETTINGS, the rest being those that gRPC has not done with. Who has more
  // does not heed them.
  static constexpr uint32_t kMaxOfConnection = 512;
  // About 100 KB each.
  static constexpr uint32_t kMaxConnectionsOfUser = 1024;
  // So many at once, and then so many a second: a client that gives up some hundreds of calls a second is still served.
  struct Misuses {
    double at_once;
    double per_second;
  };
  static constexpr Misuses kMisusesOfConnection = {1000, 300};
  static constexpr Misuses kMisusesOfUser = {2000, 1000};
  static constexpr double kMisusesForAll = 32;
  // A frame that gRPC answers each time; a client sends some as long as it gets to know its network.
  static constexpr double kMisusesPerSettings = 3;
  // What HTTP/2 knows as a ping too many; gRPC ends a connection at the third, but not before it has answered all that it has read.
  static constexpr double kMisusesPerPing = 100;

  // A connection is being ended; `who` is its user, or what its certificate says, safe for a terminal. Called on gRPC's threads,
  // where nothing may block for long.
  using OnEnded = std::function<void(std::string_view peer, std::string_view who, std::string_view why)>;

  // All outlive it. It tells `connections` which of them have served a call.
  ConnectionGuard(AccessControl& access, ConnectionTable& connections, HeapTrimmer& heap, const base::Clock& clock,
                  OnEnded on_ended)
      : access_(access), connections_(connections), heap_(heap), clock_(clock), on_ended_(std::move(on_ended)) {}

  // The user's limit of calls in progress. Holds for calls from now on.
  void SetMaxInProgress(uint32_t calls) { max_in_progress_.store(calls, std::memory_order_relaxed); }

  // ---- a connection; each is told by the number that Open gives, which is never 0 ----

  // `pem` is the client's certificate as TLS has verified it, and behind it those that came with it; `peer` its address in gRPC's
  // form.
  uint64_t Open(std::string_view pem, std::string_view peer);
  // Whether a call may be begun by the frame that has come. False: the connection is to be ended.
  bool MayBegin(uint64_t connection);
  void OnBegun(uint64_t connection);
  // The headers of a call that has begun were understood. False: it is to be refused.
  bool MayGoOn(uint64_t connection) const;
  // The client has taken a call back, made us take it back, or asked for what it cannot have.
  void OnMisuse(uint64_t connection);
  void OnPing(uint64_t connection);
  void OnSettings(uint64_t connection);
  void OnEndlessHeaders(uint64_t connection);
  // They come to more than we take, or are not HPACK.
  void OnBadHeaders(uint64_t connection);
  void OnDone(uint64_t connection);
  bool MustEnd(uint64_t connection) const;
  void Close(uint64_t connection);

  // Calls that gRPC has not done with.
  uint32_t calls() const { return state_.Lock()->calls; }
  // That are open.
  size_t connections() const { return state_.Lock()->connections.size(); }

 private:
  struct Budget {
    double used = 0;
    base::Nanos since = 0;
    // Whether it was too much.
    bool Take(double misuses, const Misuses& most, base::Nanos now);
  };
  struct Connection {
    std::string user;  // empty: a stranger's
    std::string who;
    std::string peer;
    uint32_t calls = 0;
    bool served = false;
    bool ended = false;
    Budget misuses;
  };
  struct User {
    uint32_t connections = 0;
    uint32_t calls = 0;
    Budget misuses;
  };
  struct State {
    std::unordered_map<uint64_t, Connection> connections;
    std::unordered_map<std::string, User> users;  // all there were: not more than the users file has had
    uint32_t calls = 0;
    uint64_t last = 0;
  };
  struct End;

  // Whether a user who has `own` calls has too many, when each limit is `times` as high.
  bool IsBeyond(const State& state, uint64_t own, uint64_t times) const;
  void Misuse(uint64_t id, double misuses);
  void EndFor(uint64_t id, const char* why);
  void Charge(State& state, Connection& connection, double misuses, End& end) const;
  void Tell(const End& end) const;

  AccessControl& access_;
  ConnectionTable& connections_;
  HeapTrimmer& heap_;
  const base::Clock& clock_;
  const OnEnded on_ended_;
  std::atomic<uint32_t> max_in_progress_ = 0;
  base::Guarded<State> state_;
};

}  // namespace jobd::server
