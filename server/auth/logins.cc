#include "server/auth/logins.h"

#include <algorithm>
#include <utility>

namespace jobd::server {
namespace {

// How long it is until there are fewer logins at work, or fewer sessions.
constexpr base::Nanos kBusy = base::kNanosPerSecond;
constexpr base::Nanos kFull = 60 * base::kNanosPerSecond;

base::Error Wrong() { return {base::Code::kUnauthenticated, "wrong user name or password"}; }

}  // namespace

void Logins::Login(const Caller& by, std::string user, std::string password, SessionTable::Lifetimes lifetimes, Done done) {
  if (by.kind == CallerKind::kUser && by.name() != user) {
    auth::Wipe(password);
    return done(base::Error(base::Code::kPermissionDenied,
                            "your certificate is " + by.name() + "'s, and for logins of " + by.name() + " alone"),
                0);
  }
  const std::string client = by.certificate->fingerprint;
  if (const auto wait = throttle_.Take(client, user)) {
    auth::Wipe(password);
    return done(base::Error(base::Code::kResourceExhausted, "too many wrong passwords; try again later"), *wait);
  }
  const auto rules = access_.rules();
  const config::User* const entry = rules->users.Find(user);
  const bool may_be = entry != nullptr && !entry->disabled && !entry->password.empty();
  std::string hash = may_be ? entry->password : std::string();
  // By the rules of this moment, whatever they are when the password has been checked: the grounds of the session would be others
  // then, and it ends at once.
  auto checked = [this, by, user, client, lifetimes, rules, entry, done = std::move(done)](const base::Result<bool>& right) {
    if (!right.ok()) {
      throttle_.GiveBack(client, user);
      return done(right.error(), right.error().code() == base::Code::kResourceExhausted ? kBusy : 0);
    }
    if (!*right) return done(Wrong(), 0);
    throttle_.GiveBack(client, user);
    SessionTable::NewSession session{.user = user, .host = {}, .thumbprint = client, .grounds = GroundsOf(*entry)};
    session.max_role = entry->role;
    // The certificate may have been revoked since it was asked with.
    if (const auto still = access_.Authenticate(by.standing()); !still.ok()) return done(still.error(), 0);
    if (by.kind == CallerKind::kHost) {
      const config::Host* const host = rules->users.FindHost(by.host);
      if (host == nullptr || !LetsIn(*host, user)) {
        return done(base::Error(base::Code::kPermissionDenied,
                                "this host does not log you in; the administrator can add you to its entry in the users file"),
                    0);
      }
      session.host = by.host;
      session.max_role = std::min(entry->role, host->max_role);
    }
    sessions_.Begin(std::move(session), lifetimes, [done](base::Result<SessionTable::Granted> granted) {
      const bool full = !granted.ok() && granted.error().code() == base::Code::kResourceExhausted;
      done(std::move(granted), full ? kFull : 0);
    });
  };
  passwords_.Check(client, std::move(user), std::move(hash), std::move(password), std::move(checked));
}

}  // namespace jobd::server
