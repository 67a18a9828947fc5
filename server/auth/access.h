// Authentication: from what a client shows, its certificate and perhaps a token, to a user, by the rules in force at this moment.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "config/users.h"
#include "server/auth/certificate.h"
#include "server/auth/certificate_cache.h"
#include "server/auth/identity.h"
#include "server/auth/revocation.h"
#include "server/auth/session/session_table.h"
#include "server/auth/tls_change.h"

namespace jobd::server {

// What a reload replaces as a whole.
struct AccessRules {
  config::Users users;
  RevocationList revoked;
  std::string ca = {};  // of clients, in PEM: the certificates above a client's that it need not send
  // FingerprintsOf(ca). Empty: TLS alone has judged who signed a certificate.
  std::vector<std::string> authorities = {};
};

// What a call was let in by: enough to ask again.
struct Standing {
  std::shared_ptr<const Certificate> certificate;
  std::shared_ptr<const Session> session;  // none: by the certificate alone
};

// An authenticated caller.
struct Caller {
  config::User user;  // of a host without a token: nobody, with a name that is no user's
  std::shared_ptr<const Certificate> certificate;
  CallerKind kind = CallerKind::kUser;  // whose the certificate is
  std::string host;                     // the host's name, if it is one's
  config::Role max_role = config::Role::kAdmin;
  std::shared_ptr<const Session> session;
  // Whom calls are counted and logged under; "host/NAME" of a host without a token.
  const std::string& name() const { return user.name; }
  config::Role role() const { return std::min(user.role, max_role); }
  bool is_bare_host() const { return kind == CallerKind::kHost && !session; }
  Standing standing() const { return {certificate, session}; }
};

// Whether this host may log the user in.
bool LetsIn(const config::Host& host, const std::string& user);

// Admits a certificate whose identity (IdentityOf) is an enabled user or a host of the users file and which is not revoked; a host
// is nobody until it carries the token of a session. Nor may any certificate above it be revoked, and one of them is an authority
// still. Dates, revocation, authorities, users and sessions are checked each time, of parsed certificates that are remembered: a
// connection may be older than the rules. Thread-safe.
class AccessControl {
 public:
  // Both outlive this. Without sessions no token is known.
  AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock, SessionTable* sessions = nullptr);

  // By the certificate alone. `pem` is the leaf certificate that TLS has verified, and behind it those that came with it: see
  // ParseClientChain for how many.
  // kUnauthenticated; the text is for the client.
  base::Result<Caller> Authenticate(std::string_view pem);
  // With what the call's `authorization` headers are: none, or one, "Bearer TOKEN". kInvalidArgument for several.
  base::Result<Caller> Authenticate(std::string_view pem, const std::vector<std::string>& authorization);
  // The same check again, for a caller who was authenticated before. A session may have another token by now.
  base::Result<Caller> Authenticate(const Standing& standing) const;

  std::shared_ptr<const AccessRules> rules() const { return *rules_.Lock(); }
  // Sessions that rest on what is no more end with it, for good.
  void Replace(std::shared_ptr<const AccessRules> rules);
  // The same for the rules in force, after a start.
  void EndSessionsWithoutGrounds();
  // To be called before TLS lets in whom the authorities in `ca` have signed: until Replace, these are looked for above a client's
  // certificate, too. Empty: no longer, as TLS has the old ones again.
  void Expect(const std::string& ca);

  // Those who are in: with a call that lasts, or one in the last ten minutes, and who would be let in again now. At most as many as
  // are remembered.
  std::vector<KnownClient> KnownClients() const;

 private:
  const base::Clock& clock_;
  SessionTable* const sessions_;
  base::Guarded<std::shared_ptr<const AccessRules>> rules_;
  CertificateCache certificates_;
};

}  // namespace jobd::server
