#include "server/auth/access.h"

#include "server/auth/identity.h"

namespace jobd::server {
namespace {

// The most certificates that are remembered. When there are more, all are forgotten and parsed again as they come.
constexpr size_t kMaxParsed = 1024;

}  // namespace

AccessControl::AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock)
    : clock_(clock), rules_(std::move(rules)) {}

void AccessControl::Replace(std::shared_ptr<const AccessRules> rules) {
  *rules_.Lock() = std::move(rules);
  parsed_.Lock()->clear();  // the chains may be others now
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem) {
  if (pem.empty()) return base::Error(base::Code::kUnauthenticated, "a client certificate is needed");
  std::string key(pem);
  std::shared_ptr<const Certificate> certificate;
  {
    const auto parsed = parsed_.Lock();
    if (const auto found = parsed->find(key); found != parsed->end()) certificate = found->second;
  }
  if (!certificate) {
    auto fresh = ParseCertificate(key + (*rules_.Lock())->ca);
    if (!fresh.ok()) return base::Error(base::Code::kUnauthenticated, "the client certificate cannot be read");
    certificate = std::make_shared<const Certificate>(*std::move(fresh));
    const auto parsed = parsed_.Lock();
    if (parsed->size() >= kMaxParsed) parsed->clear();
    parsed->emplace(std::move(key), certificate);
  }
  return Authenticate(certificate);
}

base::Result<Caller> AccessControl::Authenticate(const std::shared_ptr<const Certificate>& certificate) const {
  JOBD_ASSIGN_OR_RETURN(const std::string name, IdentityOf(*certificate, clock_.Realtime()));
  const std::shared_ptr<const AccessRules> rules = *rules_.Lock();
  if (rules->revoked.Contains(*certificate)) {
    return base::Error(base::Code::kUnauthenticated, "the client certificate has been revoked");
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
