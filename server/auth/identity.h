// From a client's certificate to a name.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "server/auth/certificate.h"

namespace jobd::server {

// What a certificate can name.
enum class CallerKind {
  kUser,  // spiffe://jobd/user/NAME: who is at once that user
  kHost,  // spiffe://jobd/host/NAME: a machine or a program in front of several people
};
struct Identity {
  CallerKind kind = CallerKind::kUser;
  std::string name;
  bool operator==(const Identity&) const = default;
};

inline constexpr std::string_view kUserPrefix = "spiffe://jobd/user/";
inline constexpr std::string_view kHostPrefix = "spiffe://jobd/host/";

// Whom a certificate names. The TLS library has checked the chain and the possession of the key; gRPC checks nothing more,
// so the rest is checked here: the certificate is valid at `now` (a chain is checked only at the handshake, and connections live
// on), it states the extended key usage clientAuth and the key usage digitalSignature, it is not a CA's, and it has exactly one
// URI, which is one of the prefixes and a name for which base::IsSafeName holds. The URI is compared byte for byte: nothing is
// decoded, folded or trimmed. kUnauthenticated otherwise; the text names the defect and holds no byte of the certificate. Pure.
base::Result<Identity> IdentityOf(const Certificate& certificate, base::Nanos now);

// Whom a client's certificate names, for the log: its URIs, escaped and cut, whether they are an identity or not; else its
// fingerprint. `pem` is as AccessControl::Authenticate takes it; for none, or one that cannot be read, it says so.
std::string CertificateNameForLog(std::string_view pem);
std::string CertificateNameForLog(const Certificate& certificate);

}  // namespace jobd::server
