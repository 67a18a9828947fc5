#include "server/auth/access.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/auth/identity.h"

namespace jobd::server {
namespace {

// Who came in so long ago and has nothing that lasts may have another certificate by now.
constexpr base::Nanos kLately = 600 * base::kNanosPerSecond;

base::Error Refused(std::string why) { return {base::Code::kUnauthenticated, std::move(why)}; }

// One text for all that can be wrong with a token: whoever has found one learns nothing about it.
base::Error BadToken() {
  return Refused("the access token has ended, or is not one for this certificate: log in again (jobctl login USER)");
}

base::Result<auth::AccessToken> TokenIn(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const bool bearer = std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, {},
                                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (!bearer) return Refused("the authorization must be 'Bearer' and an access token");
  auto token = auth::AccessToken::Parse(authorization.substr(kScheme.size()));
  if (!token.ok()) return BadToken();
  return token;
}

// Whether what a session rests on is as it was.
bool HasGrounds(const AccessRules& rules, const Session& session) {
  const config::User* const user = rules.users.Find(session.user);
  if (user == nullptr || user->disabled || GroundsOf(*user) != session.grounds) return false;
  if (session.host.empty()) return true;
  const config::Host* const host = rules.users.FindHost(session.host);
  return host != nullptr && LetsIn(*host, session.user);
}

bool IsOfAuthority(const Certificate& certificate, const std::vector<std::string>& authorities) {
  const auto is_one = [&](const std::string& fingerprint) { return std::ranges::binary_search(authorities, fingerprint); };
  return is_one(certificate.fingerprint) || std::ranges::any_of(certificate.issuers, is_one, &Issuer::fingerprint);
}

}  // namespace

bool LetsIn(const config::Host& host, const std::string& user) {
  return !host.users || std::ranges::find(*host.users, user) != host.users->end();
}

AccessControl::AccessControl(std::shared_ptr<const AccessRules> rules, const base::Clock& clock, SessionTable* sessions)
    : clock_(clock), sessions_(sessions), rules_(rules), certificates_(rules->ca, clock) {}

void AccessControl::Replace(std::shared_ptr<const AccessRules> rules) {
  *rules_.Lock() = rules;
  certificates_.UseAuthorities(rules->ca);
  EndSessionsWithoutGrounds();
}

void AccessControl::EndSessionsWithoutGrounds() {
  if (sessions_ == nullptr) return;
  const auto now = rules();
  // By what is known of the certificate, or by its fingerprint alone.
  std::vector<std::string> revoked;
  for (const auto& [pem, certificate] : certificates_.UsedSince(INT64_MIN)) {
    if (now->revoked.Contains(*certificate)) revoked.push_back(certificate->fingerprint);
  }
  sessions_->End(
      [&](const Session& session) {
        Certificate certificate;
        certificate.fingerprint = session.thumbprint;
        return !HasGrounds(*now, session) || now->revoked.Contains(certificate) ||
               std::ranges::find(revoked, session.thumbprint) != revoked.end();
      },
      {});
}

void AccessControl::Expect(const std::string& ca) { certificates_.Expect(ca, (*rules_.Lock())->ca); }

std::vector<KnownClient> AccessControl::KnownClients() const {
  std::vector<KnownClient> known;
  for (auto& [pem, certificate] : certificates_.UsedSince(clock_.Monotonic() - kLately)) {
    if (const auto caller = Authenticate(Standing{certificate, nullptr}); caller.ok())
      known.push_back({.name = caller->name(), .pem = std::move(pem)});
  }
  return known;
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem) {
  JOBD_ASSIGN_OR_RETURN(auto certificate, certificates_.Get(pem));
  return Authenticate(Standing{std::move(certificate), nullptr});
}

base::Result<Caller> AccessControl::Authenticate(std::string_view pem, const std::vector<std::string>& authorization) {
  JOBD_ASSIGN_OR_RETURN(Caller caller, Authenticate(pem));
  if (authorization.empty()) return caller;
  if (authorization.size() > 1) return base::Error(base::Code::kInvalidArgument, "more than one authorization is given");
  JOBD_ASSIGN_OR_RETURN(const auth::AccessToken token, TokenIn(authorization.front()));
  auto session = sessions_ == nullptr ? nullptr : sessions_->FindToken(token.Digest(), caller.certificate->fingerprint);
  if (!session) return BadToken();
  return Authenticate(Standing{caller.certificate, std::move(session)});
}

base::Result<Caller> AccessControl::Authenticate(const Standing& standing) const {
  const std::shared_ptr<const Certificate>& certificate = standing.certificate;
  JOBD_ASSIGN_OR_RETURN(const Identity identity, IdentityOf(*certificate, clock_.Realtime()));
  const std::shared_ptr<const AccessRules> rules = *rules_.Lock();
  if (rules->revoked.Contains(*certificate)) return Refused("the client certificate has been revoked");
  const bool is_host = identity.kind == CallerKind::kHost;
  const config::User* user = is_host ? nullptr : rules->users.Find(identity.name);
  const config::Host* const host = is_host ? rules->users.FindHost(identity.name) : nullptr;
  if (is_host && host == nullptr) {
    return Refused("'" + identity.name + "' is not a host of this service; its administrator can add one to the users file");
  }
  if (!rules->authorities.empty() && !IsOfAuthority(*certificate, rules->authorities)) {
    return Refused(
        "the authority of the client certificate is not trusted here any more; the administrator of the service can "
        "issue another certificate");
  }
  // One text for both: a stranger must not learn whether an account was disabled or never existed.
  if (!is_host && (user == nullptr || user->disabled)) {
    return Refused("'" + identity.name + "' is not a user of this service; its administrator can add or enable one");
  }
  Caller caller{.user = {}, .certificate = certificate, .kind = identity.kind, .host = is_host ? identity.name : ""};
  if (host != nullptr) caller.max_role = host->max_role;
  if (standing.session) {
    const auto session = sessions_ == nullptr ? nullptr : sessions_->Find(standing.session->handle);
    const bool same = session && session->thumbprint == certificate->fingerprint && session->host == caller.host &&
                      (is_host || session->user == identity.name);
    if (!same || !HasGrounds(*rules, *session)) return BadToken();
    user = rules->users.Find(session->user);
    caller.max_role = std::min(caller.max_role, session->max_role);
    // As it was found: its token is the one that this call was made with.
    caller.session = standing.session;
  }
  if (user != nullptr) {
    caller.user = *user;
  } else {
    caller.user.name = "host/" + identity.name;
  }
  return caller;
}

}  // namespace jobd::server
