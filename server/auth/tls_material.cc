#include "server/auth/tls_material.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "server/auth/certificate.h"
#include "server/auth/certificate_chain.h"
#include "server/auth/openssl_ptr.h"
#include "server/auth/tls_rehearsal.h"

namespace jobd::server {
namespace {

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }

// Certificates of an authority: of them one at least must not be over.
base::Status CheckAuthority(const std::vector<X509Ptr>& roots, const std::string& name, base::Nanos now,
                            std::vector<TlsEnd>& ends) {
  bool alive = false;
  for (const X509Ptr& root : roots) {
    if (X509_check_ca(root.get()) == 0) return Bad("tls." + name + ": a certificate in it is not a CA's");
    JOBD_ASSIGN_OR_RETURN(const CertificateDates dates, ParseCertificateDates(root.get()));
    ends.push_back({.what = "the authority " + SubjectForLog(root.get()) + " in tls." + name, .not_after = dates.not_after});
    alive = alive || (dates.not_before <= now / base::kNanosPerSecond && now / base::kNanosPerSecond <= dates.not_after);
  }
  if (!alive) return Bad("tls." + name + ": none of its certificates is valid now: renew the authority, or set the clock right");
  return base::Ok();
}

base::Status CheckDates(const std::vector<X509Ptr>& chain, base::Nanos now, std::vector<TlsEnd>& ends) {
  for (const X509Ptr& one : chain) {
    const std::string what =
        &one == &chain.front() ? "tls.cert" : "the certificate of " + SubjectForLog(one.get()) + " in tls.cert";
    JOBD_ASSIGN_OR_RETURN(const CertificateDates dates, ParseCertificateDates(one.get()));
    if (now / base::kNanosPerSecond < dates.not_before) {
      return Bad(what + " is not valid before " + base::FormatUtc(dates.not_before) + ": is the clock right?");
    }
    if (now / base::kNanosPerSecond > dates.not_after) {
      return Bad(what + " has expired, on " + base::FormatUtc(dates.not_after) + ": renew it");
    }
    ends.push_back({.what = what, .not_after = dates.not_after});
  }
  return base::Ok();
}

std::string NameText(const GENERAL_NAME* name) {
  const ASN1_STRING* value = name->type == GEN_IPADD ? name->d.iPAddress : name->d.dNSName;
  const std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                          static_cast<size_t>(ASN1_STRING_length(value)));
  if (name->type == GEN_IPADD) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = bytes.size() == 4 ? AF_INET : bytes.size() == 16 ? AF_INET6 : AF_UNSPEC;
    return inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr ? text.data() : "";
  }
  return base::EscapeForTerminal(bytes);
}

// By what clients may know it (RFC 6125): the common name counts where there is no other.
std::vector<std::string> NamesOf(X509* x509) {
  std::vector<std::string> names;
  const GeneralNamesPtr list(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_IPADD) names.push_back(NameText(name));
  }
  if (names.empty()) {
    std::array<char, 256> common{};
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, common.data(), common.size()) > 0)
      names.push_back(base::EscapeForTerminal(common.data()));
  }
  for (std::string& name : names) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  return names;
}

}  // namespace

base::Result<TlsMaterial> CheckTlsFiles(TlsFiles files, base::Nanos now) {
  TlsMaterial material;
  const bool one_authority = files.client_ca.empty();
  JOBD_ASSIGN_OR_RETURN(const auto chain, ReadChain(files.cert, "cert"));
  const BioPtr key_bio = BioOf(files.key);
  // A passphrase cannot be asked for: the empty one is given, so that an encrypted key is an error and not a prompt.
  const KeyPtr key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, const_cast<char*>("")) : nullptr);
  ERR_clear_error();
  if (!key) return Bad("tls.key: it holds no private key that can be read (an encrypted one cannot)");
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return Bad("tls.key is not the key of tls.cert");
  }
  JOBD_RETURN_IF_ERROR(CheckDates(chain, now, material.ends));
  if (X509_check_purpose(chain.front().get(), X509_PURPOSE_SSL_SERVER, 0) != 1) {
    return Bad("tls.cert is not for a server: it needs the extended key usage serverAuth, or none");
  }
  JOBD_ASSIGN_OR_RETURN(const auto clients, ReadChain(ClientCaOf(files), one_authority ? "ca" : "client_ca"));
  JOBD_RETURN_IF_ERROR(CheckAuthority(clients, one_authority ? "ca" : "client_ca", now, material.ends));
  const TrustStore client_authorities(clients);
  if (!files.ca.empty()) {
    std::vector<X509Ptr> ca;  // else it is the clients', which is read
    if (!one_authority) {
      JOBD_ASSIGN_OR_RETURN(ca, ReadChain(files.ca, "ca"));
      JOBD_RETURN_IF_ERROR(CheckAuthority(ca, "ca", now, material.ends));
    }
    const base::Status chains = one_authority ? client_authorities.Check(files.cert, ChainFor::kServer, now)
                                              : TrustStore(ca).Check(files.cert, ChainFor::kServer, now);
    if (!chains.ok()) material.broken_chain = "tls.cert does not chain to tls.ca: " + chains.error().message();
    if (!chains.ok() && !one_authority) return Bad(material.broken_chain);
  }
  auto leaf = ParseCertificate(files.cert);
  if (!leaf.ok()) return Bad("tls.cert: " + leaf.error().message());
  material.is_client = leaf->client_auth && client_authorities.Check(files.cert, ChainFor::kClient, now).ok();
  JOBD_RETURN_IF_ERROR(RehearseHandshake(files));
  material.names = NamesOf(chain.front().get());
  material.fingerprint = leaf->fingerprint;
  material.not_after = leaf->not_after;
  material.pem = std::move(files);
  return material;
}

TlsState::TlsState(std::shared_ptr<const TlsMaterial> material) { sets_.Lock()->current = std::move(material); }

std::shared_ptr<const TlsMaterial> TlsState::Current() const { return sets_.Lock()->current; }

std::shared_ptr<const TlsMaterial> TlsState::Swap(std::shared_ptr<const TlsMaterial> material) {
  return std::exchange(sets_.Lock()->current, std::move(material));
}

std::shared_ptr<const TlsMaterial> TlsState::TakeChanged() {
  const auto sets = sets_.Lock();
  if (sets->taken == sets->current) return nullptr;
  sets->taken = sets->current;
  return sets->taken;
}

}  // namespace jobd::server
