#include "server/auth/identity.h"

#include <utility>

#include "base/text.h"
#include "server/auth/certificate.h"

namespace jobd::server {

base::Result<Identity> IdentityOf(const Certificate& certificate, base::Nanos now) {
  const auto refuse = [](const char* why) { return base::Error(base::Code::kUnauthenticated, why); };
  const int64_t seconds = now / base::kNanosPerSecond;
  if (seconds < certificate.not_before) return refuse("the client certificate is not valid yet");
  if (seconds > certificate.not_after) return refuse("the client certificate has expired");
  if (certificate.is_ca) return refuse("the client certificate is a CA's");
  if (!certificate.client_auth) return refuse("the client certificate is not for client authentication");
  if (!certificate.digital_signature) return refuse("the client certificate is not for digital signatures");
  if (certificate.uris.size() != 1) return refuse("the client certificate must have exactly one URI name");
  const std::string& uri = certificate.uris.front();
  for (const auto& [prefix, kind] : {std::pair{kUserPrefix, CallerKind::kUser}, std::pair{kHostPrefix, CallerKind::kHost}}) {
    if (!uri.starts_with(prefix)) continue;
    Identity identity{.kind = kind, .name = uri.substr(prefix.size())};
    if (base::IsSafeName(identity.name)) return identity;
  }
  return refuse("the client certificate's URI is no identity of this service");
}

std::string CertificateNameForLog(std::string_view pem) {
  if (pem.empty()) return "none";
  const auto certificate = ParseCertificate(pem);
  return certificate.ok() ? CertificateNameForLog(*certificate) : "unreadable";
}

std::string CertificateNameForLog(const Certificate& certificate) {
  constexpr size_t kMostBytes = 200;
  std::string names;
  for (const std::string& uri : certificate.uris) {
    names += (names.empty() ? "" : ", ") + uri;
    if (names.size() > kMostBytes) break;
  }
  if (names.empty()) return "SHA-256 " + certificate.fingerprint;
  const bool cut = names.size() > kMostBytes;
  return base::EscapeForTerminal(names.substr(0, kMostBytes)) + (cut ? "…" : "");
}

}  // namespace jobd::server
