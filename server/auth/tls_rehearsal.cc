#include "server/auth/tls_rehearsal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string>

#include "server/auth/certificate_chain.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {
namespace {

base::Error Unusable() {
  const unsigned long error = ERR_peek_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  const std::string text = reason == nullptr ? "the handshake failed" : reason;
  ERR_clear_error();
  return {base::Code::kInvalidArgument, "tls.cert and tls.key cannot be used for TLS 1.3: " + text};
}

base::Result<SslContextPtr> ServerContext(const TlsFiles& files) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  const BioPtr key_bio = BioOf(files.key);
  const KeyPtr key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, const_cast<char*>("")) : nullptr);
  JOBD_ASSIGN_OR_RETURN(const auto chain, ReadChain(files.cert, "cert"));
  if (!context || !key || SSL_CTX_use_certificate(context.get(), chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return Unusable();
  }
  for (size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context.get(), chain[i].get());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  return context;
}

}  // namespace

base::Status RehearseHandshake(const TlsFiles& files) {
  ERR_clear_error();
  JOBD_ASSIGN_OR_RETURN(const SslContextPtr server_context, ServerContext(files));
  const SslContextPtr client_context(SSL_CTX_new(TLS_client_method()));
  if (!client_context) return Unusable();
  const SslPtr server(SSL_new(server_context.get()));
  const SslPtr client(SSL_new(client_context.get()));
  BIO* ends[2] = {nullptr, nullptr};
  if (!server || !client || BIO_new_bio_pair(&ends[0], 0, &ends[1], 0) != 1) return Unusable();
  SSL_set_bio(server.get(), ends[0], ends[0]);
  SSL_set_bio(client.get(), ends[1], ends[1]);
  SSL_set_accept_state(server.get());
  SSL_set_connect_state(client.get());
  constexpr int kMostTurns = 64;
  for (int turn = 0; turn < kMostTurns; ++turn) {
    bool done = true;
    for (SSL* const side : {client.get(), server.get()}) {
      const int result = SSL_do_handshake(side);
      if (result == 1) continue;
      done = false;
      const int why = SSL_get_error(side, result);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return Unusable();
    }
    if (done) {
      ERR_clear_error();
      return base::Ok();
    }
  }
  return Unusable();
}

}  // namespace jobd::server
