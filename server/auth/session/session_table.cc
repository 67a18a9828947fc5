#include "server/auth/session/session_table.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"

namespace jobd::server {
namespace {

using worker::SessionRecord;

std::string Bytes(const base::Sha256Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

// Nobody has to guess it, and so many never meet.
std::string NewHandle() {
  std::array<std::byte, 8> random{};
  // So few bytes come whole, but for a signal while the machine starts: getrandom(2).
  while (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
  }
  return "s-" + base::Hex(random);
}

Session SessionOf(const SessionRecord& record) {
  const bool known = record.max_role <= static_cast<uint32_t>(config::Role::kAdmin);
  return {.handle = record.handle,
          .user = record.user,
          .host = record.host,
          .thumbprint = record.thumbprint,
          .token = record.token,
          .grounds = record.grounds,
          .max_role = known ? static_cast<config::Role>(record.max_role) : config::Role::kViewer,
          .created_at = record.created_at,
          .token_ends = record.token_ends,
          .ends = record.ends};
}

base::Error Ended() { return {base::Code::kUnauthenticated, "the session has ended: log in again"}; }

}  // namespace

std::string GroundsOf(const config::User& user) {
  base::Sha256 hash;
  hash.Add(config::RoleName(user.role));
  hash.Add(std::string_view("\0", 1));
  hash.Add(user.password);
  return Bytes(hash.Take());
}

base::Status SessionTable::Load() {
  JOBD_ASSIGN_OR_RETURN(auto records, store_.Sessions());
  const base::Nanos now = clock_.Realtime();
  const base::Nanos monotonic = clock_.Monotonic();
  std::vector<std::string> ended;
  {
    const auto state = state_.Lock();
    for (SessionRecord& record : records) {
      if (record.boot != boot_) {
        // Only the wall clock is left to go by. One that has been set back behind the token's beginning says nothing.
        if (record.token_at > now) record.token_ends = 0;
        const auto left = [&](base::Nanos end, base::Nanos begin) { return std::min(end - now, end - begin); };
        record.token_ends_monotonic = monotonic + left(record.token_ends, record.token_at);
        record.ends_monotonic = monotonic + left(record.ends, record.created_at);
        record.boot = boot_;
      }
      if (HasEnded(record)) {
        ended.push_back(std::move(record.handle));
        continue;
      }
      state->by_token.emplace(record.token, record.handle);
      std::string handle = record.handle;
      state->by_handle.emplace(std::move(handle), Entry{.record = std::move(record)});
    }
  }
  if (!ended.empty()) {
    const std::lock_guard order(order_);
    Drop(std::move(ended), {});
  }
  return base::Ok();
}

bool SessionTable::HasEnded(const SessionRecord& record) const {
  const base::Nanos now = clock_.Realtime();
  const base::Nanos monotonic = clock_.Monotonic();
  return now >= record.token_ends || now >= record.ends || monotonic >= record.token_ends_monotonic ||
         monotonic >= record.ends_monotonic;
}

base::Status SessionTable::CheckRoom(const NewSession& session) {
  std::vector<std::string> ended;
  size_t of_client = 0;
  size_t of_user = 0;
  size_t all = 0;
  {
    const auto state = state_.Lock();
    for (auto& [handle, entry] : state->by_handle) {
      if (HasEnded(entry.record)) {
        ended.push_back(handle);
        continue;
      }
      const bool same_user = entry.record.user == session.user;
      of_user += same_user ? 1u : 0u;
      of_client += same_user && entry.record.thumbprint == session.thumbprint ? 1u : 0u;
    }
    for (const std::string& handle : ended) {
      const auto found = state->by_handle.find(handle);
      state->by_token.erase(found->second.record.token);
      state->by_handle.erase(found);
    }
    all = state->by_handle.size();
  }
  if (!ended.empty()) Drop(std::move(ended), {});
  if (of_client < kMaxOfClient && of_user < kMaxOfUser && all < kMaxOfAll) return base::Ok();
  return base::Error(base::Code::kResourceExhausted, "there are too many sessions; log out of some, or try again later");
}

void SessionTable::SetToken(SessionRecord& record, const auth::AccessToken& token, base::Nanos lifetime) const {
  record.token = Bytes(token.Digest());
  record.token_at = clock_.Realtime();
  record.token_ends = std::min(record.token_at + lifetime, record.ends);
  record.token_ends_monotonic = std::min(clock_.Monotonic() + lifetime, record.ends_monotonic);
}

SessionTable::Granted SessionTable::Grant(const SessionRecord& record, std::shared_ptr<const auth::AccessToken> token) const {
  return {.token = std::move(token),
          .session = SessionOf(record),
          .expires_in = std::min(record.token_ends - clock_.Realtime(), record.token_ends_monotonic - clock_.Monotonic())};
}

void SessionTable::Begin(NewSession session, Lifetimes lifetimes, OnGranted done) {
  const auto token = std::make_shared<const auth::AccessToken>(auth::AccessToken::Generate());
  const base::Nanos now = clock_.Realtime();
  const base::Nanos monotonic = clock_.Monotonic();
  SessionRecord record{.handle = NewHandle(),
                       .user = std::move(session.user),
                       .host = std::move(session.host),
                       .thumbprint = std::move(session.thumbprint),
                       .token = {},
                       .grounds = std::move(session.grounds),
                       .max_role = static_cast<uint32_t>(session.max_role),
                       .created_at = now,
                       .ends = now + lifetimes.session,
                       .boot = boot_,
                       .ends_monotonic = monotonic + lifetimes.session};
  SetToken(record, *token, lifetimes.token);
  const std::lock_guard order(order_);
  const NewSession of{.user = record.user, .host = {}, .thumbprint = record.thumbprint, .grounds = {}};
  if (const base::Status room = CheckRoom(of); !room.ok()) return done(room.error());
  store_.Put(record, [this, record, token, done = std::move(done)](const base::Status& committed) {
    if (!committed.ok()) return done(committed.error());
    {
      const auto state = state_.Lock();
      state->by_token.emplace(record.token, record.handle);
      state->by_handle.emplace(record.handle, Entry{.record = record});
    }
    done(Grant(record, token));
  });
}

void SessionTable::Renew(const Session& session, Lifetimes lifetimes, OnGranted done) {
  const auto token = std::make_shared<const auth::AccessToken>(auth::AccessToken::Generate());
  const std::lock_guard order(order_);
  SessionRecord record;
  std::optional<base::Error> refusal;
  {
    const auto state = state_.Lock();
    const auto found = state->by_handle.find(session.handle);
    if (found == state->by_handle.end() || found->second.record.token != session.token || HasEnded(found->second.record)) {
      refusal = Ended();
    } else if (std::exchange(found->second.renewing, true)) {
      refusal = base::Error(base::Code::kAborted, "the token is being renewed by another call");
    } else {
      record = found->second.record;
    }
  }
  if (refusal) return done(*refusal);
  SetToken(record, *token, lifetimes.token);
  store_.Put(record, [this, record, token, done = std::move(done)](const base::Status& committed) {
    {
      const auto state = state_.Lock();
      const auto found = state->by_handle.find(record.handle);
      if (found != state->by_handle.end()) {
        found->second.renewing = false;
        if (committed.ok()) {
          state->by_token.erase(found->second.record.token);
          state->by_token.emplace(record.token, record.handle);
          found->second.record = record;
        }
      }
    }
    if (!committed.ok()) return done(committed.error());
    // It may have ended while the disk was busy.
    if (!Find(record.handle)) return done(Ended());
    done(Grant(record, token));
  });
}

std::shared_ptr<const Session> SessionTable::FindToken(const base::Sha256Digest& token, std::string_view thumbprint) const {
  const auto state = state_.Lock();
  const auto handle = state->by_token.find(Bytes(token));
  if (handle == state->by_token.end()) return nullptr;
  const SessionRecord& record = state->by_handle.at(handle->second).record;
  if (record.thumbprint != thumbprint || HasEnded(record)) return nullptr;
  return std::make_shared<const Session>(SessionOf(record));
}

std::shared_ptr<const Session> SessionTable::Find(const std::string& handle) const {
  const auto state = state_.Lock();
  const auto found = state->by_handle.find(handle);
  if (found == state->by_handle.end() || HasEnded(found->second.record)) return nullptr;
  return std::make_shared<const Session>(SessionOf(found->second.record));
}

std::vector<Session> SessionTable::List(const std::string& user) const {
  std::vector<Session> sessions;
  {
    const auto state = state_.Lock();
    for (const auto& [handle, entry] : state->by_handle) {
      if ((user.empty() || entry.record.user == user) && !HasEnded(entry.record)) sessions.push_back(SessionOf(entry.record));
    }
  }
  std::ranges::sort(sessions, std::ranges::greater(), &Session::created_at);
  return sessions;
}

size_t SessionTable::End(const std::function<bool(const Session&)>& ends, worker::SessionStore::Committed done) {
  const std::lock_guard order(order_);
  std::vector<std::string> ended;
  {
    const auto state = state_.Lock();
    for (const auto& [handle, entry] : state->by_handle) {
      if (ends(SessionOf(entry.record))) ended.push_back(handle);
    }
    for (const std::string& handle : ended) {
      const auto found = state->by_handle.find(handle);
      state->by_token.erase(found->second.record.token);
      state->by_handle.erase(found);
    }
  }
  const size_t count = ended.size();
  Drop(std::move(ended), std::move(done));
  return count;
}

void SessionTable::Drop(std::vector<std::string> handles, worker::SessionStore::Committed done) {
  {
    const auto undropped = undropped_->Lock();
    handles.insert(handles.end(), undropped->begin(), undropped->end());
    undropped->clear();
  }
  if (handles.empty()) {
    if (done) done(base::Ok());
    return;
  }
  store_.Drop(handles, [all = undropped_, handles, done = std::move(done)](const base::Status& committed) {
    if (!committed.ok()) {
      const auto undropped = all->Lock();
      undropped->insert(undropped->end(), handles.begin(), handles.end());
    }
    if (done) done(committed);
  });
}

}  // namespace jobd::server
