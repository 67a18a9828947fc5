#include "server/auth/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

#include "base/text.h"
#include "server/auth/certificate_chain.h"

namespace jobd::server {
namespace {

base::Error Bad(const char* what) { return {base::Code::kInvalidArgument, std::string("the certificate ") + what}; }

std::vector<std::string> UriNames(X509* x509) {
  std::vector<std::string> uris;
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    // By length: a NUL inside is part of the name, and makes it one that nobody has.
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  return uris;
}

std::string Fingerprint(const X509* x509) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (X509_digest(x509, EVP_sha256(), digest.data(), &length) != 1) return {};
  return base::Hex(std::as_bytes(std::span(digest.data(), length)));
}

std::string Serial(const X509* x509) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(x509);
  const auto* data = reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(serial));
  std::string hex = base::Hex(std::span(data, static_cast<size_t>(ASN1_STRING_length(serial))));
  const size_t first = hex.find_first_not_of('0');
  return first == std::string::npos ? "0" : hex.substr(first);
}

}  // namespace

Issuer IssuerNamed(const X509* x509) { return {.fingerprint = Fingerprint(x509), .serial = Serial(x509)}; }

base::Result<Certificate> ParseCertificate(X509* x509) {
  Certificate certificate;
  JOBD_ASSIGN_OR_RETURN(const CertificateDates dates, ParseCertificateDates(x509));
  certificate.not_before = dates.not_before;
  certificate.not_after = dates.not_after;
  // Reads and caches the extensions; a malformed or doubled one sets EXFLAG_INVALID.
  if ((X509_get_extension_flags(x509) & EXFLAG_INVALID) != 0) return Bad("has a malformed extension");
  const uint32_t flags = X509_get_extension_flags(x509);
  // X509_check_ca says no to a CA:TRUE whose key usage is not for signing certificates; here that is one all the same.
  certificate.is_ca = (flags & EXFLAG_CA) != 0 || X509_check_ca(x509) != 0;
  certificate.client_auth = (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(x509) & XKU_SSL_CLIENT) != 0;
  certificate.digital_signature = (flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x509) & KU_DIGITAL_SIGNATURE) != 0;
  certificate.uris = UriNames(x509);
  certificate.fingerprint = Fingerprint(x509);
  certificate.serial = Serial(x509);
  if (certificate.fingerprint.empty()) return Bad("cannot be digested");
  return certificate;
}

base::Result<Certificate> ParseCertificate(std::string_view pem) {
  const BioPtr bio = BioOf(pem);
  const X509Ptr x509(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  auto certificate = x509 ? ParseCertificate(x509.get()) : Bad("cannot be read");
  ERR_clear_error();
  return certificate;
}

}  // namespace jobd::server
