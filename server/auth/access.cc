#include "server/auth/access.h"

#include "server/auth/identity.h"

namespace jobd::server {
namespace {

// Certificates to remember; when there are more, all are forgotten and parsed again as they come.
constexpr size_t kMaxParsed = 1024;

}  // namespace

AccessControl::AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock)
    : clock_(clock), rules_(std::move(rules)) {}

void AccessControl::Replace(std::shared_ptr<const AccessRules> rules) {
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
}

std::shared_ptr<const Certificate> AccessControl::Remembered(const std::string& pem) const {
  const std::lock_guard lock(mutex_);
  const auto found = parsed_.find(pem);
  return found == parsed_.end() ? nullptr : found->second;
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem) {
  if (pem.empty()) return base::Error(base::Code::kUnauthenticated, "a client certificate is needed");
  std::string key(pem);
  auto certificate = Remembered(key);
  if (!certificate) {
    auto parsed = ParseCertificate(pem);
    if (!parsed.ok()) return base::Error(base::Code::kUnauthenticated, "the client certificate cannot be read");
    certificate = std::make_shared<const Certificate>(*std::move(parsed));
    const std::lock_guard lock(mutex_);
    if (parsed_.size() >= kMaxParsed) parsed_.clear();
    parsed_.emplace(std::move(key), certificate);
  }
  return Authenticate(certificate);
}

base::Result<Caller> AccessControl::Authenticate(const std::shared_ptr<const Certificate>& certificate) const {
  JOBD_ASSIGN_OR_RETURN(const std::string name, IdentityOf(*certificate, clock_.Realtime()));
  std::shared_ptr<const AccessRules> rules;
  {
    const std::lock_guard lock(mutex_);
    rules = rules_;
  }
  if (rules->revoked.Contains(*certificate)) {
    return base::Error(base::Code::kUnauthenticated, "the client certificate has been revoked");
  }
  const config::User* user = rules->users.Find(name);
  // One text for both: whether an account was disabled or never existed is nobody's business who cannot use it.
  if (user == nullptr || user->disabled) return base::Error(base::Code::kUnauthenticated, "not a user of this service");
  return Caller{.user = *user, .certificate = certificate};
}

}  // namespace jobd::server
