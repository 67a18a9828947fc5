#include "server/grpc/connection_guard.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <cstring>

#include "server/auth/access.h"
#include "server/grpc/connection_table.h"
#include "server/ops/heap_trimmer.h"

namespace jobd::server {
namespace {

constexpr const char* kProperty = "jobd_connection";
// A connection that has had no call for so long has got its resets back and may be forgotten.
constexpr base::Nanos kForgotten = 60 * base::kNanosPerSecond;
constexpr base::Nanos kBetweenSweeps = 10 * base::kNanosPerSecond;
constexpr uint64_t kUsers = 4;
// A call that entered arrives within milliseconds. gRPC may drop one in between, of which nobody is told: when nothing of a user
// has arrived for so long, what is still counted as coming does not come.
constexpr base::Nanos kLost = 10 * base::kNanosPerSecond;

std::string_view PropertyOf(const grpc_auth_context* context, const char* name) {
  auto found = grpc_auth_context_find_properties_by_name(context, name);
  const grpc_auth_property* property = grpc_auth_property_iterator_next(&found);
  return property == nullptr ? std::string_view() : std::string_view(property->value, property->value_length);
}

// 0: it has none.
uint64_t IdOf(std::string_view property) {
  uint64_t id = 0;
  if (property.size() == sizeof id) std::memcpy(&id, property.data(), sizeof id);
  return id;
}

}  // namespace

ConnectionGuard::Connection& ConnectionGuard::ConnectionOf(State& state, grpc_auth_context* context, base::Nanos now) const {
  uint64_t id = IdOf(PropertyOf(context, kProperty));
  if (id == 0) {
    // Nobody reads the properties meanwhile: this call has not arrived, and it is the connection's first.
    id = state.next_id++;
    grpc_auth_context_add_property(context, kProperty, reinterpret_cast<const char*>(&id), sizeof id);
  }
  const auto [found, made] = state.connections.try_emplace(id);
  Connection& connection = found->second;
  if (made) {
    Sweep(state, now);
    const auto caller = access_.Authenticate(PropertyOf(context, GRPC_X509_PEM_CERT_PROPERTY_NAME));
    if (caller.ok()) connection.user = caller->name();
    connection.refilled = now;
  }
  connection.last_used = now;
  return connection;
}

bool ConnectionGuard::Enter(grpc_auth_context* context) {
  const base::Nanos now = clock_.Monotonic();
  std::string to_end;
  {
    const auto state = state_.Lock();
    Connection& connection = ConnectionOf(*state, context, now);
    if (connection.ended) return false;
    User& user = state->users[connection.user];
    const uint64_t most = std::max<uint64_t>(kLeastMaxOfUser, uint64_t{2} * max_in_progress_.load(std::memory_order_relaxed));
    if (user.calls.all() >= most) Forgive(*state, user, now);
    const uint64_t own = user.calls.all();
    // One at a time is let through in any case: so that it is known whom to end, and a user's other connections go on.
    const bool beyond = own >= most || own + state->calls >= kUsers * most;
    const bool heeds = connection.calls.all() < kMaxCallsOfConnection;
    if (heeds && (!beyond || connection.calls.all() == 0)) {
      if (user.calls.coming++ == 0) user.last_arrival = now;
      ++connection.calls.coming;
      ++state->calls;
      return true;
    }
    to_end = heeds ? Strike(connection, now) : End(connection);
  }
  if (!to_end.empty()) connections_.End(to_end);
  return false;
}

ConnectionGuard::Call ConnectionGuard::Arrive(grpc::CallbackServerContext& context) {
  const auto property = context.auth_context()->FindPropertyValues(kProperty);
  const uint64_t id = property.empty() ? 0 : IdOf({property.front().data(), property.front().size()});
  const base::Nanos now = clock_.Monotonic();
  std::string served;
  std::string to_end;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found == state->connections.end()) return {};
    Connection& connection = found->second;
    User& user = state->users[connection.user];
    if (user.calls.coming > 0) {
      --user.calls.coming;
    } else {
      ++state->calls;  // it had been given up for lost
    }
    if (connection.calls.coming > 0) --connection.calls.coming;
    ++connection.calls.open;
    ++user.calls.open;
    user.last_arrival = now;
    if (connection.peer.empty()) {
      connection.peer = served = context.peer();
      if (connection.ended) to_end = connection.peer;
    }
  }
  if (!served.empty()) connections_.OnServed(served);
  if (!to_end.empty()) connections_.End(to_end);
  return {*this, id};
}

void ConnectionGuard::Leave(uint64_t id) {
  heap_.OnUsed();
  const auto state = state_.Lock();
  const auto found = state->connections.find(id);
  if (found == state->connections.end()) return;
  Connection& connection = found->second;
  --connection.calls.open;
  --state->calls;
  const auto user = state->users.find(connection.user);
  if (--user->second.calls.open == 0 && user->second.calls.coming == 0) state->users.erase(user);
}

void ConnectionGuard::OnReset(uint64_t id) {
  std::string to_end;
  {
    const auto state = state_.Lock();
    const auto found = state->connections.find(id);
    if (found != state->connections.end()) to_end = Strike(found->second, clock_.Monotonic());
  }
  if (!to_end.empty()) connections_.End(to_end);
}

std::string ConnectionGuard::Strike(Connection& connection, base::Nanos now) {
  if (connection.ended) return {};
  const double seconds = static_cast<double>(now - connection.refilled) / static_cast<double>(base::kNanosPerSecond);
  connection.refilled = now;
  connection.resets_left = std::min(kResets, connection.resets_left + seconds * kResetsPerSecond) - 1;
  return connection.resets_left >= 0 ? std::string() : End(connection);
}

std::string ConnectionGuard::End(Connection& connection) {
  connection.ended = true;
  return connection.peer;
}

void ConnectionGuard::Forgive(State& state, User& user, base::Nanos now) {
  if (user.calls.coming == 0 || now - user.last_arrival < kLost) return;
  state.calls -= std::min(state.calls, user.calls.coming);
  user.calls.coming = 0;
  user.last_arrival = now;
}

void ConnectionGuard::Sweep(State& state, base::Nanos now) {
  if (now - state.swept < kBetweenSweeps) return;
  state.swept = now;
  std::erase_if(state.connections, [&](const auto& item) {
    const Connection& connection = item.second;
    return connection.calls.open == 0 && connection.last_used != 0 && now - connection.last_used > kForgotten;
  });
}

}  // namespace jobd::server
