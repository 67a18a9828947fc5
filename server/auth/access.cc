#include "server/auth/access.h"

#include <algorithm>
#include <utility>

#include "server/auth/identity.h"

namespace jobd::server {
namespace {

// Who came in so long ago and has nothing that lasts may have another certificate by now.
constexpr base::Nanos kLately = 600 * base::kNanosPerSecond;

bool IsOfAuthority(const Certificate& certificate, const std::vector<std::string>& authorities) {
  const auto is_one = [&](const std::string& fingerprint) { return std::ranges::binary_search(authorities, fingerprint); };
  return is_one(certificate.fingerprint) || std::ranges::any_of(certificate.issuers, is_one, &Issuer::fingerprint);
}

}  // namespace

AccessControl::AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock)
    : clock_(clock), rules_(rules), certificates_(rules->ca, clock) {}

void AccessControl::Replace(std::shared_ptr<const AccessRules> rules) {
  *rules_.Lock() = rules;
  certificates_.UseAuthorities(rules->ca);
}

void AccessControl::Expect(const std::string& ca) { certificates_.Expect(ca, (*rules_.Lock())->ca); }

std::vector<KnownClient> AccessControl::KnownClients() const {
  std::vector<KnownClient> known;
  for (auto& [pem, certificate] : certificates_.UsedSince(clock_.Monotonic() - kLately)) {
    if (const auto caller = Authenticate(certificate); caller.ok())
      known.push_back({.name = caller->name(), .pem = std::move(pem)});
  }
  return known;
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem) {
  JOBD_ASSIGN_OR_RETURN(const auto certificate, certificates_.Get(pem));
  return Authenticate(certificate);
}

base::Result<Caller> AccessControl::Authenticate(const std::shared_ptr<const Certificate>& certificate) const {
  JOBD_ASSIGN_OR_RETURN(const std::string name, IdentityOf(*certificate, clock_.Realtime()));
  const std::shared_ptr<const AccessRules> rules = *rules_.Lock();
  if (rules->revoked.Contains(*certificate)) {
    return base::Error(base::Code::kUnauthenticated, "the client certificate has been revoked");
  }
  if (!rules->authorities.empty() && !IsOfAuthority(*certificate, rules->authorities)) {
    return base::Error(base::Code::kUnauthenticated,
                       "the authority of the client certificate is not trusted here any more; the administrator of the service "
                       "can issue another certificate");
  }
  const config::User* user = rules->users.Find(name);
  // One text for both: a stranger must not learn whether an account was disabled or never existed.
  if (user == nullptr || user->disabled) {
    return base::Error(base::Code::kUnauthenticated,
                       "'" + name + "' is not a user of this service; its administrator can add or enable one");
  }
  return Caller{.user = *user, .certificate = certificate};
}

}  // namespace jobd::server
