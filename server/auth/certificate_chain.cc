#include "server/auth/certificate_chain.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "server/auth/identity.h"

namespace jobd::server {
namespace {

using StackPtr = std::unique_ptr<STACK_OF(X509), OpensslFree<[](STACK_OF(X509) * stack) { sk_X509_free(stack); }>>;

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }

base::Result<int64_t> UnixTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return Bad("a certificate has an unreadable date");
  return static_cast<int64_t>(timegm(&parts));
}

}  // namespace

std::string SubjectForLog(const X509* x509) {
  constexpr long kMostBytes = 200;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), X509_get_subject_name(x509), 0, XN_FLAG_RFC2253) < 0) return "?";
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return base::EscapeForTerminal(std::string_view(text, static_cast<size_t>(std::min(size, kMostBytes))));
}

std::string CertificateForLog(X509* x509) {
  constexpr size_t kMostDigits = 40;  // RFC 5280 has 20 bytes
  std::string text = SubjectForLog(x509);
  if (text.empty()) text = "without a subject";
  // One that is malformed has a serial number and dates all the same.
  const auto read = ParseCertificate(x509);
  if (read.ok() && !read->uris.empty()) text += " (" + CertificateNameForLog(*read) + ")";
  text += ", serial " + IssuerNamed(x509).serial.substr(0, kMostDigits);
  if (const auto dates = ParseCertificateDates(x509); dates.ok()) {
    text += ", valid from " + base::FormatUtc(dates->not_before) + " to " + base::FormatUtc(dates->not_after);
  }
  ERR_clear_error();
  return text;
}

base::Result<std::vector<X509Ptr>> ReadChain(std::string_view pem, const std::string& name) {
  std::vector<X509Ptr> chain;
  const BioPtr bio = BioOf(pem);
  ERR_clear_error();
  while (bio) {
    X509Ptr x509(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!x509) break;
    chain.push_back(std::move(x509));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return Bad("tls." + name + ": a certificate in it cannot be read");
  if (chain.empty()) return Bad("tls." + name + ": it holds no certificate");
  return chain;
}

std::vector<std::string> FingerprintsOf(std::string_view pem) {
  std::vector<std::string> fingerprints;
  if (const auto all = ReadChain(pem, "client_ca"); all.ok()) {
    for (const X509Ptr& x509 : *all) fingerprints.push_back(IssuerNamed(x509.get()).fingerprint);
  }
  std::ranges::sort(fingerprints);
  return fingerprints;
}

base::Result<CertificateDates> ParseCertificateDates(X509* x509) {
  CertificateDates dates;
  JOBD_ASSIGN_OR_RETURN(dates.not_before, UnixTime(X509_get0_notBefore(x509)));
  JOBD_ASSIGN_OR_RETURN(dates.not_after, UnixTime(X509_get0_notAfter(x509)));
  return dates;
}

TrustStore::TrustStore(const std::vector<X509Ptr>& roots) : store_(X509_STORE_new()) {
  for (const X509Ptr& root : roots) {
    if (store_) X509_STORE_add_cert(store_.get(), root.get());
  }
  ERR_clear_error();
}

base::Status TrustStore::Check(std::string_view pem, ChainFor purpose, base::Nanos now) const {
  JOBD_ASSIGN_OR_RETURN(const auto chain, ReadChain(pem, "cert"));
  const X509StoreContextPtr context(X509_STORE_CTX_new());
  const StackPtr intermediates(sk_X509_new_null());
  if (!store_ || !context || !intermediates) return Bad("out of memory");
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(intermediates.get(), chain[i].get());
  if (X509_STORE_CTX_init(context.get(), store_.get(), chain.front().get(), intermediates.get()) != 1) return Bad("out of memory");
  X509_STORE_CTX_set_purpose(context.get(), purpose == ChainFor::kServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  X509_STORE_CTX_set_time(context.get(), 0, now / base::kNanosPerSecond);
  const bool good = X509_verify_cert(context.get()) == 1;
  const int reason = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (!good) return Bad(X509_verify_cert_error_string(reason));
  return base::Ok();
}

base::Status CheckChain(std::string_view authority, std::string_view pem, ChainFor purpose, base::Nanos now) {
  JOBD_ASSIGN_OR_RETURN(const auto roots, ReadChain(authority, "ca"));
  return TrustStore(roots).Check(pem, purpose, now);
}

}  // namespace jobd::server
