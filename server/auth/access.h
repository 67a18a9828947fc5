// Authentication: from a client's certificate to a user, by the rules in force at this moment.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "config/users.h"
#include "server/auth/certificate.h"
#include "server/auth/revocation.h"
#include "server/auth/tls_change.h"

namespace jobd::server {

// What a reload replaces as a whole.
struct AccessRules {
  config::Users users;
  RevocationList revoked;
  std::string ca = {};  // of clients, in PEM: the certificates above a client's that it need not send
};

// An authenticated caller.
struct Caller {
  config::User user;
  std::shared_ptr<const Certificate> certificate;
  const std::string& name() const { return user.name; }
  config::Role role() const { return user.role; }
};

// Admits a certificate whose identity (IdentityOf) is an enabled user and which is not revoked. Parsed certificates are remembered,
// because parsing costs more than the rest of a small call; dates, revocation and users are checked each time. Thread-safe.
class AccessControl {
 public:
  // `clock` outlives this.
  AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock);

  // `pem` is the leaf certificate that TLS has verified, and behind it those that came with it. kUnauthenticated; the text is for
  // the client.
  base::Result<Caller> Authenticate(std::string_view pem);
  // The same check again, for a caller who was authenticated before.
  base::Result<Caller> Authenticate(const std::shared_ptr<const Certificate>& certificate) const;

  void Replace(std::shared_ptr<const AccessRules> rules);

  // Those who are in: with a call that lasts, or one in the last ten minutes, and who would be let in again now. At most as many as
  // are remembered.
  std::vector<KnownClient> KnownClients() const;

 private:
  struct Parsed {
    std::shared_ptr<const Certificate> certificate;  // calls that last hold it, too
    std::weak_ptr<const Certificate> before;         // the same as it was before a reload, which calls from then hold
    base::Nanos used = 0;                            // monotonic
  };
  using ParsedCertificates = std::unordered_map<std::string, Parsed>;  // by PEM

  const base::Clock& clock_;
  base::Guarded<std::shared_ptr<const AccessRules>> rules_;
  base::Guarded<ParsedCertificates> parsed_;
};

}  // namespace jobd::server
