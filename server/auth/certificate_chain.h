// Certificates as OpenSSL has them: reading all that is in a file, one's fields, and whether a chain leads up to an authority.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "server/auth/certificate.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {

// As ParseCertificate of the same one in PEM.
base::Result<Certificate> ParseCertificate(X509* x509);
// Its subject, cut where it is long, safe for a terminal.
std::string SubjectForLog(const X509* x509);
// Its subject and URIs, serial number and dates, for a line of a log: of a certificate that anybody may have made.
std::string CertificateForLog(X509* x509);
// What names it to those that it has issued; without a fingerprint when it cannot be digested.
Issuer IssuerNamed(const X509* x509);

// All certificates of a file, at least one. `name` is its setting's without "tls.". kInvalidArgument, for administrators.
base::Result<std::vector<X509Ptr>> ReadChain(std::string_view pem, const std::string& name);

// Of each certificate in `pem`, which has been read before, sorted.
std::vector<std::string> FingerprintsOf(std::string_view pem);

struct CertificateDates {
  int64_t not_before = 0;  // seconds since 1970
  int64_t not_after = 0;
};
base::Result<CertificateDates> ParseCertificateDates(X509* x509);

enum class ChainFor { kServer, kClient };

// Authorities by which many certificates are judged: reading one takes OpenSSL a fraction of a millisecond, and a file may have a
// thousand. Any thread may use it.
class TrustStore {
 public:
  explicit TrustStore(const std::vector<X509Ptr>& roots);
  // As CheckChain.
  base::Status Check(std::string_view pem, ChainFor purpose, base::Nanos now) const;

 private:
  X509StorePtr store_;
};

// Whether the first certificate in `pem` leads up to one of `authority`, by way of those behind it, and all are valid at `now` and
// for that. The error is OpenSSL's reason.
base::Status CheckChain(std::string_view authority, std::string_view pem, ChainFor purpose, base::Nanos now);

}  // namespace jobd::server
