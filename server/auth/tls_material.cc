#include "server/auth/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>
#include <vector>

#include "server/auth/certificate.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {
namespace {

using StackPtr = std::unique_ptr<STACK_OF(X509), OpensslFree<[](STACK_OF(X509) * stack) { sk_X509_free(stack); }>>;

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }

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

base::Status CheckChain(const std::vector<X509Ptr>& ca, const std::vector<X509Ptr>& chain, base::Nanos now) {
  const X509StorePtr store(X509_STORE_new());
  const X509StoreContextPtr context(X509_STORE_CTX_new());
  const StackPtr intermediates(sk_X509_new_null());
  if (!store || !context || !intermediates) return Bad("out of memory");
  for (const X509Ptr& root : ca) X509_STORE_add_cert(store.get(), root.get());
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(intermediates.get(), chain[i].get());
  if (X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), intermediates.get()) != 1) return Bad("out of memory");
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  X509_STORE_CTX_set_time(context.get(), 0, now / base::kNanosPerSecond);
  if (X509_verify_cert(context.get()) != 1) {
    const int reason = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    return Bad(std::string("tls.cert does not chain to tls.ca: ") + X509_verify_cert_error_string(reason));
  }
  return base::Ok();
}

}  // namespace

base::Result<TlsMaterial> CheckTlsFiles(TlsFiles files, base::Nanos now) {
  JOBD_ASSIGN_OR_RETURN(const auto ca, ReadChain(files.ca, "ca"));
  for (const X509Ptr& root : ca) {
    if (X509_check_ca(root.get()) == 0) return Bad("tls.ca: a certificate in it is not a CA's");
  }
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
  JOBD_RETURN_IF_ERROR(CheckChain(ca, chain, now));
  auto leaf = ParseCertificate(files.cert);
  if (!leaf.ok()) return Bad("tls.cert: " + leaf.error().message());
  return TlsMaterial{.pem = std::move(files), .fingerprint = leaf->fingerprint, .not_after = leaf->not_after};
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
