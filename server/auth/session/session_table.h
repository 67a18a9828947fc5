// Sessions: who has logged in, with which certificate, and until when. The database has them all (worker/model/session_store.h);
// this is what calls look at.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access_token.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "config/users.h"
#include "worker/model/session_store.h"

namespace jobd::server {

// One session as it was when it was looked at. Times are those of the wall clock.
struct Session {
  std::string handle;  // its name where people see it, "s-" and 16 hex digits; no secret
  std::string user;
  std::string host;        // whose certificate it belongs to; empty: the user's own
  std::string thumbprint;  // of that certificate, as Certificate::fingerprint
  std::string token;       // SHA-256 of its token
  std::string grounds;     // GroundsOf the user when they logged in
  config::Role max_role = config::Role::kViewer;
  base::Nanos created_at = 0;
  base::Nanos token_ends = 0;
  base::Nanos ends = 0;
};

// Fingerprint of what a login rests on, the user's role and password: a session ends when it changes.
std::string GroundsOf(const config::User& user);

// A session is there from the moment at which the database has it, and has ended when End returns, whatever the database says. It
// ends by itself when its token does, and at its own end at the latest. Both ends are held by two clocks, of which the first to
// pass counts: nobody makes a token last longer by setting the wall clock back, here or while the service is down. Thread-safe.
class SessionTable {
 public:
  // Of one user with one certificate, of one user, and of all. Who has more may log in again when the first of them ends.
  static constexpr size_t kMaxOfClient = 256;
  static constexpr size_t kMaxOfUser = 1024;
  static constexpr size_t kMaxOfAll = 65'536;

  // How long a token and a session last.
  struct Lifetimes {
    base::Nanos token = 0;
    base::Nanos session = 0;
  };
  struct NewSession {
    std::string user;
    std::string host;
    std::string thumbprint;
    std::string grounds;
    config::Role max_role = config::Role::kViewer;
  };
  struct Granted {
    std::shared_ptr<const auth::AccessToken> token;
    Session session;
    base::Nanos expires_in = 0;  // the token
  };
  // Comes once, perhaps before the call returns; must not block, nor call the table but for reading.
  using OnGranted = std::function<void(base::Result<Granted>)>;

  // Both outlive it. `boot` tells whether a monotonic time of an earlier process still means something: launch::BootTag().
  SessionTable(worker::SessionStore& store, const base::Clock& clock, uint64_t boot) : store_(store), clock_(clock), boot_(boot) {}

  // Takes up what an earlier process has left. Once, before all else.
  base::Status Load();

  // kResourceExhausted when there are too many; else the errors of the store.
  void Begin(NewSession session, Lifetimes lifetimes, OnGranted done);
  // `session` as it was found for the call. kUnauthenticated when it has ended or has another token by now, kAborted when that is
  // just being made.
  void Renew(const Session& session, Lifetimes lifetimes, OnGranted done);

  // The session of a token that was made for this certificate; nothing when there is none or it has ended.
  std::shared_ptr<const Session> FindToken(const base::Sha256Digest& token, std::string_view thumbprint) const;
  // The same by its name, whatever its token is by now.
  std::shared_ptr<const Session> Find(const std::string& handle) const;
  // Those that have not ended, of one user or of all (empty), the latest login first.
  std::vector<Session> List(const std::string& user) const;

  // Ends those that `ends` picks, and tells how many. What the database could not be told is told again with the next change.
  // `done` as in SessionStore; it may be empty.
  size_t End(const std::function<bool(const Session&)>& ends, worker::SessionStore::Committed done);

 private:
  struct Entry {
    worker::SessionRecord record;
    bool renewing = false;
  };
  struct State {
    std::map<std::string, Entry> by_handle;
    std::map<std::string, std::string, std::less<>> by_token;  // handles
  };
  bool HasEnded(const worker::SessionRecord& record) const;
  // kResourceExhausted when there are as many as may be; drops what has ended.
  base::Status CheckRoom(const NewSession& session);
  void SetToken(worker::SessionRecord& record, const auth::AccessToken& token, base::Nanos lifetime) const;
  Granted Grant(const worker::SessionRecord& record, std::shared_ptr<const auth::AccessToken> token) const;
  void Drop(std::vector<std::string> handles, worker::SessionStore::Committed done);

  worker::SessionStore& store_;
  const base::Clock& clock_;
  const uint64_t boot_;
  std::mutex order_;  // held from a change here until the store has been told: so both see changes in one order. Before state_.
  base::Guarded<State> state_;
  // That the database may still have. Shared with writes that nobody waits for, which may come to their end after this has.
  const std::shared_ptr<base::Guarded<std::vector<std::string>>> undropped_ =
      std::make_shared<base::Guarded<std::vector<std::string>>>();
};

}  // namespace jobd::server
