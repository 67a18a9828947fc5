// What clients may keep on its way through gRPC, and how often a connection may take calls back.
#pragma once

#include <grpc/grpc_security.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::server {

class AccessControl;
class ConnectionTable;
class HeapTrimmer;

// gRPC 1.51 makes a call of every HEADERS frame, hands it over through a queue without a bound, and lets a client take back
// (RST_STREAM) and begin as often as it likes: a hundred thousand calls in a second, of 30 KB each, of which none counts among the
// client's streams. So calls are counted from when their headers have come until gRPC has done with them, per user and in all, and
// those beyond are refused before they cost more. A connection that takes back too many, or goes on beyond the limit, is ended.
//
// A connection is told by a number that is put among the properties of its auth context, the one thing that all its calls share.
//
// Thread-safe. Outlives all calls.
class ConnectionGuard {
 public:
  // Of one user, or twice as many as may be in progress (CallLimits) if that is more: the others wait to be begun or to be done
  // with. Of all it is four times that; and a user may have at most as many as stay free.
  static constexpr uint32_t kLeastMaxOfUser = 2048;
  // Of one connection: four times what it may have by its SETTINGS, the rest being those that it has taken back and that gRPC has
  // not done with. Who has more does not heed them, and is ended.
  static constexpr uint32_t kMaxCallsOfConnection = 512;
  // A connection may take back so many at once, and then so many a second. What is refused here counts as well.
  static constexpr double kResets = 1000;
  static constexpr double kResetsPerSecond = 50;

  // All outlive it. It tells `connections` which of them have served a call, and ends some of them there.
  ConnectionGuard(AccessControl& access, ConnectionTable& connections, HeapTrimmer& heap, const base::Clock& clock)
      : access_(access), connections_(connections), heap_(heap), clock_(clock) {}

  // The user's limit of calls in progress. Holds for calls from now on.
  void SetMaxInProgress(uint32_t calls) { max_in_progress_.store(calls, std::memory_order_relaxed); }

  // The headers of a call have come; on gRPC's threads. `connection` is the one of the connection. False: the call is to be
  // refused.
  bool Enter(grpc_auth_context* connection);

  // One call that has arrived. Move-only; its destructor says that gRPC has done with it.
  class Call {
   public:
    Call() = default;
    Call(ConnectionGuard& guard, uint64_t id) : guard_(&guard), id_(id) {}
    Call(Call&& other) noexcept : guard_(std::exchange(other.guard_, nullptr)), id_(other.id_) {}
    Call& operator=(Call&& other) noexcept {
      std::swap(guard_, other.guard_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Call() {
      if (guard_ != nullptr) guard_->Leave(id_);
    }
    // The client has taken it back.
    void OnReset() const {
      if (guard_ != nullptr) guard_->OnReset(id_);
    }

   private:
    ConnectionGuard* guard_ = nullptr;
    uint64_t id_ = 0;
  };
  // The call has come to our code.
  Call Arrive(grpc::CallbackServerContext& context);

 private:
  struct Count {
    uint32_t coming = 0;  // entered and not arrived
    uint32_t open = 0;    // arrived and not left
    uint32_t all() const { return coming + open; }
  };
  struct Connection {
    std::string user;  // empty: a stranger's
    std::string peer;  // empty: none of its calls has arrived
    Count calls;
    double resets_left = kResets;
    base::Nanos refilled = 0;
    base::Nanos last_used = 0;
    bool ended = false;
  };
  struct User {
    Count calls;
    base::Nanos last_arrival = 0;
  };
  struct State {
    std::unordered_map<uint64_t, Connection> connections;
    std::unordered_map<std::string, User> users;
    uint32_t calls = 0;
    uint64_t next_id = 1;
    base::Nanos swept = 0;
  };

  Connection& ConnectionOf(State& state, grpc_auth_context* context, base::Nanos now) const;
  void Leave(uint64_t id);
  void OnReset(uint64_t id);
  // Returns the address of a connection that is to be ended now, if it is known.
  static std::string Strike(Connection& connection, base::Nanos now);
  static std::string End(Connection& connection);
  static void Forgive(State& state, User& user, base::Nanos now);
  static void Sweep(State& state, base::Nanos now);

  AccessControl& access_;
  ConnectionTable& connections_;
  HeapTrimmer& heap_;
  const base::Clock& clock_;
  std::atomic<uint32_t> max_in_progress_ = 0;
  base::Guarded<State> state_;
};

}  // namespace jobd::server
