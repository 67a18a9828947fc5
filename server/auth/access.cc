#include "server/auth/access.h"

#include <utility>

#include "server/auth/identity.h"

namespace jobd::server {
namespace {

// The most certificates that are remembered. When there are more, all are forgotten and parsed again as they come.
constexpr size_t kMaxParsed = 1024;

// Who came in so long ago and has nothing that lasts may have another certificate by now.
constexpr base::Nanos kLately = 600 * base::kNanosPerSecond;

}  // namespace

AccessControl::AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock)
    : clock_(clock), rules_(std::move(rules)) {}

void AccessControl::Replace(std::shared_ptr<const AccessRules> rules) {
  const std::string ca = rules->ca;
  *rules_.Lock() = std::move(rules);
  // The chains may be others now. Who has come in is remembered.
  ParsedCertificates old;
  old.swap(*parsed_.Lock());
  for (auto& [pem, parsed] : old) {
    auto fresh = ParseCertificate(pem + ca);
    if (!fresh.ok()) continue;
    const bool held = parsed.certificate.use_count() > 1 || parsed.before.expired();
    parsed_.Lock()->emplace(pem, Parsed{.certificate = std::make_shared<const Certificate>(*std::move(fresh)),
                                        .before = held ? std::weak_ptr(parsed.certificate) : parsed.before,
                                        .used = parsed.used});
  }
}

std::vector<KnownClient> AccessControl::KnownClients() const {
  const base::Nanos long_ago = clock_.Monotonic() - kLately;
  std::vector<std::pair<std::string, std::shared_ptr<const Certificate>>> in;
  {
    const auto all = parsed_.Lock();
    for (const auto& [pem, parsed] : *all) {
      const bool lasts = parsed.certificate.use_count() > 1 || !parsed.before.expired();
      if (lasts || parsed.used > long_ago) in.emplace_back(pem, parsed.certificate);
    }
  }
  std::vector<KnownClient> known;
  for (const auto& [pem, certificate] : in) {
    if (const auto caller = Authenticate(certificate); caller.ok()) known.push_back({.name = caller->name(), .pem = pem});
  }
  return known;
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem) {
  if (pem.empty()) return base::Error(base::Code::kUnauthenticated, "a client certificate is needed");
  std::string key(pem);
  std::shared_ptr<const Certificate> certificate;
  {
    const auto parsed = parsed_.Lock();
    if (const auto found = parsed->find(key); found != parsed->end()) {
      certificate = found->second.certificate;
      found->second.used = clock_.Monotonic();
    }
  }
  if (!certificate) {
    auto fresh = ParseCertificate(key + (*rules_.Lock())->ca);
    if (!fresh.ok()) return base::Error(base::Code::kUnauthenticated, "the client certificate cannot be read");
    certificate = std::make_shared<const Certificate>(*std::move(fresh));
    const auto parsed = parsed_.Lock();
    if (parsed->size() >= kMaxParsed) parsed->clear();
    parsed->emplace(std::move(key), Parsed{.certificate = certificate, .before = {}, .used = clock_.Monotonic()});
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
