#include "server/grpc/connections/connection_guard.h"

#include <algorithm>
#include <utility>

#include "server/auth/access.h"
#include "server/auth/identity.h"
#include "server/grpc/connections/connection_table.h"
#include "server/ops/heap_trimmer.h"

namespace jobd::server {
namespace {

constexpr uint64_t kUsers = 4;

}  // namespace

// What is to be told when the lock has been given up.
struct ConnectionGuard::End {
  std::string peer;
  std::string who;
  const char* why = nullptr;  // none: nothing has ended

  void Set(Connection& connection, const char* reason) {
    if (std::exchange(connection.ended, true)) return;
    peer = connection.peer;
    who = connection.who;
    why = reason;
  }
};

void ConnectionGuard::Tell(const End& end) const {
  if (end.why != nullptr && on_ended_) on_ended_(end.peer, end.who, end.why);
}

uint64_t ConnectionGuard::Open(std::string_view pem, std::string_view peer) {
  const auto caller = access_.Authenticate(pem);
  Connection connection{.peer = std::string(peer)};
  if (caller.ok()) connection.user = connection.who = caller->name();
  if (!caller.ok()) connection.who = "a stranger with the certificate " + CertificateNameForLog(pem);
  End end;
  uint64_t id = 0;
  {
    const auto state = state_.Lock();
    if (++state->users[connection.user].connections > kMaxConnectionsOfUser) {
      end.Set(connection, "its user has more connections than he may");
    }
    id = ++state->last;
    state->connections.emplace(id, std::move(connection));
  }
  Tell(end);
  return id;
}

bool ConnectionGuard::IsBeyond(const State& state, uint64_t own, uint64_t times) const {
  const uint64_t most = times * std::max<uint64_t>(kLeastMaxOfUser, uint64_t{2} * max_in_progress_.load(std::memory_order_relaxed));
  return own >= most || own + state.calls >= kUsers * most;
}

bool ConnectionGuard::MayBegin(uint64_t id) {
  End end;
  bool may = false;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found == state->connections.end()) return true;
    Connection& connection = found->second;
    const uint64_t own = state->users[connection.user].calls;
    if (connection.calls >= kMaxOfConnection) {
      end.Set(connection, "it has more calls on their way than it may");
    } else if (connection.calls > 0 && IsBeyond(*state, own, 2)) {
      end.Set(connection, "its user has more calls on their way than he may");
    } else if (connection.calls > 0 && IsBeyond(*state, own, 1)) {
      // It will be refused; but all of those that came with it are made before the first is.
      Charge(*state, connection, 1, end);
    }
    may = !connection.ended;
  }
  Tell(end);
  return may;
}

void ConnectionGuard::OnBegun(uint64_t id) {
  std::string served;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found == state->connections.end()) return;
    Connection& connection = found->second;
    ++connection.calls;
    ++state->users[connection.user].calls;
    ++state->calls;
    if (!std::exchange(connection.served, true)) served = connection.peer;
  }
  if (!served.empty()) connections_.OnServed(served);
}

bool ConnectionGuard::MayGoOn(uint64_t id) const {
  const auto state = state_.Lock();
  const auto found = state->connections.find(id);
  if (found == state->connections.end()) return true;
  const Connection& connection = found->second;
  // This call is among those that are counted.
  return connection.calls <= 1 || !IsBeyond(*state, state->users.at(connection.user).calls - 1, 1);
}

void ConnectionGuard::OnMisuse(uint64_t id) { Misuse(id, 1); }
void ConnectionGuard::OnPing(uint64_t id) { Misuse(id, kMisusesPerPing); }
void ConnectionGuard::OnSettings(uint64_t id) { Misuse(id, kMisusesPerSettings); }

void ConnectionGuard::OnEndlessHeaders(uint64_t id) { EndFor(id, "the headers of its call do not end"); }
void ConnectionGuard::OnBadHeaders(uint64_t id) { EndFor(id, "the headers of its call come to too much, or are no headers"); }

void ConnectionGuard::EndFor(uint64_t id, const char* why) {
  End end;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found != state->connections.end()) end.Set(found->second, why);
  }
  Tell(end);
}

void ConnectionGuard::Misuse(uint64_t id, double misuses) {
  End end;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found == state->connections.end()) return;
    Charge(*state, found->second, misuses, end);
  }
  Tell(end);
}

bool ConnectionGuard::Budget::Take(double misuses, const Misuses& most, base::Nanos now) {
  const double seconds = static_cast<double>(now - since) / static_cast<double>(base::kNanosPerSecond);
  since = now;
  used = std::max(0.0, used - seconds * most.per_second) + misuses;
  return used > most.at_once;
}

void ConnectionGuard::Charge(State& state, Connection& connection, double misuses, End& end) const {
  const base::Nanos now = clock_.Monotonic();
  const bool of_connection = connection.misuses.Take(misuses, kMisusesOfConnection, now);
  const bool of_user = state.users[connection.user].misuses.Take(misuses, kMisusesOfUser, now);
  if (of_connection || (of_user && connection.misuses.used > kMisusesForAll)) {
    end.Set(connection, "it takes calls back, or asks for what it cannot have, too often");
  }
}

void ConnectionGuard::OnDone(uint64_t id) {
  heap_.OnUsed();
  const auto state = state_.Lock();
  const auto found = state->connections.find(id);
  if (found == state->connections.end() || found->second.calls == 0) return;
  --found->second.calls;
  --state->users[found->second.user].calls;
  --state->calls;
}

bool ConnectionGuard::MustEnd(uint64_t id) const {
  const auto state = state_.Lock();
  const auto found = state->connections.find(id);
  return found != state->connections.end() && found->second.ended;
}

void ConnectionGuard::Close(uint64_t id) {
  const auto state = state_.Lock();
  const auto found = state->connections.find(id);
  if (found == state->connections.end()) return;
  User& user = state->users[found->second.user];
  --user.connections;
  // None, as its calls keep it.
  user.calls -= found->second.calls;
  state->calls -= found->second.calls;
  state->connections.erase(found);
}

}  // namespace jobd::server
