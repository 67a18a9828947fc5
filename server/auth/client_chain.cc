#include "server/auth/client_chain.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <set>
#include <utility>

#include "server/auth/certificate_chain.h"

namespace jobd::server {
namespace {

base::Error Refuse(std::string why) { return {base::Code::kUnauthenticated, std::move(why)}; }
base::Error TooMany() {
  return Refuse("the client certificate comes with too many others: at most " + std::to_string(kMaxChainCertificates) +
                " certificates in " + std::to_string(kMaxChainBytes >> 10) + " KiB may be sent");
}
base::Error Unreadable() { return Refuse("the client certificate cannot be read, or one that came with it"); }

base::Result<std::vector<X509Ptr>> ReadSent(std::string_view pem) {
  if (pem.empty()) return Refuse("a client certificate is needed");
  if (pem.size() > kMaxChainBytes) return TooMany();
  std::vector<X509Ptr> sent;
  const BioPtr bio = BioOf(pem);
  ERR_clear_error();
  while (X509Ptr x509{bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr}) {
    if (sent.size() == kMaxChainCertificates) return TooMany();
    sent.push_back(std::move(x509));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end || sent.empty()) return Unreadable();
  return sent;
}

base::Result<std::vector<Issuer>> IssuersOf(X509* leaf, const std::vector<X509*>& others) {
  std::vector<Issuer> issuers;
  std::set<std::string> found;
  std::vector<X509*> issued = {leaf};
  for (size_t i = 0; i < issued.size(); ++i) {
    for (X509* const other : others) {
      if (X509_check_issued(other, issued[i]) != X509_V_OK) continue;
      if (X509_verify(issued[i], X509_get0_pubkey(other)) != 1) continue;
      Issuer issuer = IssuerNamed(other);
      if (issuer.fingerprint.empty()) return Unreadable();
      if (!found.insert(issuer.fingerprint).second) continue;
      issuers.push_back(std::move(issuer));
      issued.push_back(other);
    }
  }
  return issuers;
}

}  // namespace

Authorities::Authorities(std::string pem) : pem_(std::move(pem)) {
  if (auto all = ReadChain(pem_, "client_ca"); all.ok()) all_ = *std::move(all);
}

Authorities::Authorities(const Authorities& other, const std::string& pem) : pem_(other.pem_ + "\n" + pem) {
  if (auto more = ReadChain(pem, "client_ca"); more.ok()) all_ = *std::move(more);
  for (const X509Ptr& one : other.all_) {
    if (X509_up_ref(one.get()) == 1) all_.emplace_back(one.get());
  }
}

base::Result<Certificate> ParseClientChain(std::string_view sent, const Authorities& authorities) {
  JOBD_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ReadSent(sent));
  auto certificate = ParseCertificate(chain.front().get());
  std::vector<X509*> others;
  for (size_t i = 1; i < chain.size(); ++i) others.push_back(chain[i].get());
  for (const X509Ptr& authority : authorities.all()) others.push_back(authority.get());
  auto issuers = IssuersOf(chain.front().get(), others);
  ERR_clear_error();
  if (!certificate.ok()) return Refuse("the client certificate cannot be read");
  if (!issuers.ok()) return std::move(issuers).error();
  certificate->issuers = *std::move(issuers);
  return certificate;
}

}  // namespace jobd::server
