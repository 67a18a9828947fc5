#include "server/auth/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {
namespace {

constexpr size_t kMaxOthers = 64;

base::Error Bad(const char* what) { return {base::Code::kInvalidArgument, std::string("the certificate ") + what}; }

base::Result<int64_t> UnixTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return Bad("has an unreadable date");
  return static_cast<int64_t>(timegm(&parts));
}

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

// Every one of `others` that issued `leaf`, or one that did, and so on: by name, usage and signature.
std::vector<Issuer> IssuersOf(X509* leaf, std::vector<X509Ptr> others) {
  std::vector<Issuer> issuers;
  std::vector<X509Ptr> found;
  std::vector<X509*> issued = {leaf};
  for (size_t i = 0; i < issued.size(); ++i) {
    for (X509Ptr& other : others) {
      if (!other || X509_check_issued(other.get(), issued[i]) != X509_V_OK) continue;
      if (X509_verify(issued[i], X509_get0_pubkey(other.get())) != 1) continue;
      issuers.push_back({Fingerprint(other.get()), Serial(other.get())});
      issued.push_back(other.get());
      found.push_back(std::move(other));
    }
  }
  ERR_clear_error();
  return issuers;
}

}  // namespace

base::Result<Certificate> ParseCertificate(std::string_view pem) {
  const BioPtr bio = BioOf(pem);
  const X509Ptr x509(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!x509) return Bad("cannot be read");
  Certificate certificate;
  JOBD_ASSIGN_OR_RETURN(certificate.not_before, UnixTime(X509_get0_notBefore(x509.get())));
  JOBD_ASSIGN_OR_RETURN(certificate.not_after, UnixTime(X509_get0_notAfter(x509.get())));
  // Reads and caches the extensions; a malformed or doubled one sets EXFLAG_INVALID.
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0) return Bad("has a malformed extension");
  const uint32_t flags = X509_get_extension_flags(x509.get());
  // X509_check_ca says no to a CA:TRUE whose key usage is not for signing certificates; here that is one all the same.
  certificate.is_ca = (flags & EXFLAG_CA) != 0 || X509_check_ca(x509.get()) != 0;
  certificate.client_auth = (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(x509.get()) & XKU_SSL_CLIENT) != 0;
  certificate.digital_signature = (flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x509.get()) & KU_DIGITAL_SIGNATURE) != 0;
  certificate.uris = UriNames(x509.get());
  certificate.fingerprint = Fingerprint(x509.get());
  certificate.serial = Serial(x509.get());
  if (certificate.fingerprint.empty()) return Bad("cannot be digested");
  std::vector<X509Ptr> others;
  while (others.size() < kMaxOthers) {
    X509Ptr other(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!other) break;
    others.push_back(std::move(other));
  }
  ERR_clear_error();
  certificate.issuers = IssuersOf(x509.get(), std::move(others));
  return certificate;
}

}  // namespace jobd::server
