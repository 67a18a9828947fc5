// Authentication: from a client's certificate to a user, by the rules in force at this moment.
#pragma once

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
#include "server/auth/revocation.h"
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

// An authenticated caller.
struct Caller {
  config::User user;
  std::shared_ptr<const Certificate> certificate;
  const std::string& name() const { return user.name; }
  config::Role role() const { return user.role; }
};

// Admits a certificate whose identity (IdentityOf) is an enabled user and which is not revoked, nor any above it, of which one is
// an authority still. Dates, revocation, authorities and users are checked each time, of parsed certificates that are remembered: a
// connection may be older than the rules. Thread-safe.
class AccessControl {
 public:
  // `clock` outlives this.
  AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock);

  // `pem` is the leaf certificate that TLS has verified, and behind it those that came with it: see ParseClientChain for how many.
  // kUnauthenticated; the text is for the client.
  base::Result<Caller> Authenticate(std::string_view pem);
  // The same check again, for a caller who was authenticated before.
  base::Result<Caller> Authenticate(const std::shared_ptr<const Certificate>& certificate) const;

  void Replace(std::shared_ptr<const AccessRules> rules);
  // To be called before TLS lets in whom the authorities in `ca` have signed: until Replace, these are looked for above a client's
  // certificate, too. Empty: no longer, as TLS has the old ones again.
  void Expect(const std::string& ca);

  // Those who are in: with a call that lasts, or one in the last ten minutes, and who would be let in again now. At most as many as
  // are remembered.
  std::vector<KnownClient> KnownClients() const;

 private:
  const base::Clock& clock_;
  base::Guarded<std::shared_ptr<const AccessRules>> rules_;
  CertificateCache certificates_;
};

}  // namespace jobd::server
