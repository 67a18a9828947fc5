// Who is calling, by the rules in force at this moment.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"
#include "config/users.h"
#include "server/auth/certificate.h"
#include "server/auth/revocation.h"

namespace jobd::server {

// What a reload replaces as a whole.
struct AccessRules {
  config::Users users;
  RevocationList revoked;
};

// An authenticated caller.
struct Caller {
  config::User user;
  std::shared_ptr<const Certificate> certificate;
  const std::string& name() const { return user.name; }
  config::Role role() const { return user.role; }
};

// Authenticates by certificate: IdentityOf, not revoked, a user of that name who is not disabled. Thread-safe. What a certificate
// says is remembered, as parsing costs more than the rest of a small call; dates, revocation and users are looked at each time.
class AccessControl {
 public:
  // `clock` outlives this.
  AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock);

  // `pem` is the leaf that TLS has verified, as in gRPC's property x509_pem_cert. kUnauthenticated; the text is for the client.
  base::Result<Caller> Authenticate(std::string_view pem);
  // The same again, for one who was authenticated before.
  base::Result<Caller> Authenticate(const std::shared_ptr<const Certificate>& certificate) const;

  void Replace(std::shared_ptr<const AccessRules> rules);

 private:
  std::shared_ptr<const Certificate> Remembered(const std::string& pem) const;

  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessRules> rules_;
  std::unordered_map<std::string, std::shared_ptr<const Certificate>> parsed_;
};

}  // namespace jobd::server
