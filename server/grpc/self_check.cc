#include "server/grpc/self_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

#include "base/fd.h"
#include "base/listener.h"
#include "server/auth/certificate.h"
#include "server/auth/openssl_ptr.h"

namespace jobd::server {
namespace {

constexpr int kTimeoutMs = 3000;
constexpr std::array<unsigned char, 3> kAlpn = {2, 'h', '2'};

base::Error Failed(const std::string& what) { return {base::Code::kUnavailable, "handshake with ourselves: " + what}; }

std::string OpensslReason() {
  const unsigned long error = ERR_peek_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "the connection was closed" : reason;
}

struct Attempt {
  base::Fd socket;
  SslContextPtr context;
  SslPtr ssl;
};

// SSL_CTX_set_cert_cb(3): on a client, called when the server has asked for a certificate.
int OnCertificateRequest(SSL* /*ssl*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 1;  // go on with what is configured, if anything
}

base::Result<Attempt> Prepare(const std::string& address, const TlsMaterial& material, bool with_certificate, bool& asked) {
  Attempt attempt;
  JOBD_ASSIGN_OR_RETURN(attempt.socket, base::ConnectTo(address, kTimeoutMs));
  attempt.context.reset(SSL_CTX_new(TLS_client_method()));
  if (!attempt.context) return Failed("out of memory");
  // Which certificate is shown is looked at byte for byte; who has signed it, clients judge.
  SSL_CTX_set_verify(attempt.context.get(), SSL_VERIFY_NONE, nullptr);
  attempt.ssl.reset(SSL_new(attempt.context.get()));
  if (!attempt.ssl) return Failed("out of memory");
  if (with_certificate) {
    const BioPtr cert_bio = BioOf(material.pem.cert);
    const BioPtr key_bio = BioOf(material.pem.key);
    const X509Ptr cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
    const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, const_cast<char*>("")));
    if (!cert || !key || SSL_use_certificate(attempt.ssl.get(), cert.get()) != 1 ||
        SSL_use_PrivateKey(attempt.ssl.get(), key.get()) != 1) {
      return Failed("our certificate cannot be used");
    }
  }
  SSL_set_cert_cb(attempt.ssl.get(), &OnCertificateRequest, &asked);
  SSL_set_alpn_protos(attempt.ssl.get(), kAlpn.data(), kAlpn.size());
  SSL_set_fd(attempt.ssl.get(), attempt.socket.get());
  ERR_clear_error();
  return attempt;
}

// What the server says after the handshake: its HTTP/2 settings, or, when it refuses our certificate, an alert or the end (in
// TLS 1.3 a client is done before the server has judged it; gRPC 1.51 closes without an alert). kPermissionDenied is that refusal.
base::Status FirstWord(SSL* ssl) {
  char byte = 0;
  ERR_clear_error();
  const int count = SSL_read(ssl, &byte, 1);
  if (count == 1) return base::Ok();
  if (SSL_get_error(ssl, count) == SSL_ERROR_WANT_READ) return Failed("nothing was answered in time");
  return base::Error(base::Code::kPermissionDenied, Failed(OpensslReason()).message());
}

}  // namespace

base::Status CheckHandshake(const std::string& address, const TlsMaterial& material) {
  bool asked = false;
  JOBD_ASSIGN_OR_RETURN(const Attempt attempt, Prepare(address, material, true, asked));
  SSL* const ssl = attempt.ssl.get();
  if (SSL_connect(ssl) != 1) return Failed(OpensslReason());
  if (SSL_version(ssl) != TLS1_3_VERSION) return Failed("it agreed on less than TLS 1.3");
  const unsigned char* protocol = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &length);
  if (std::string_view(reinterpret_cast<const char*>(protocol), length) != "h2") return Failed("it did not agree on h2");
  if (!asked) return Failed("no client certificate was demanded");
  const BioPtr shown(BIO_new(BIO_s_mem()));
  const X509Ptr leaf(SSL_get1_peer_certificate(ssl));
  if (!shown || !leaf || PEM_write_bio_X509(shown.get(), leaf.get()) != 1) return Failed("no certificate was shown");
  char* text = nullptr;
  const long size = BIO_get_mem_data(shown.get(), &text);
  JOBD_ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate({text, static_cast<size_t>(size)}));
  if (certificate.fingerprint != material.fingerprint) return Failed("another certificate was shown than the one in force");
  auto answer = FirstWord(ssl);
  if (!answer.ok() && answer.error().code() == base::Code::kPermissionDenied && !material.is_client) return base::Ok();
  return answer;
}

base::Status CheckRefusals(const std::string& address, const TlsMaterial& material) {
  {
    bool asked = false;
    JOBD_ASSIGN_OR_RETURN(const Attempt attempt, Prepare(address, material, false, asked));
    if (SSL_connect(attempt.ssl.get()) == 1) {
      const base::Status answer = FirstWord(attempt.ssl.get());
      if (answer.ok() || answer.error().code() != base::Code::kPermissionDenied) {
        return Failed("a client without a certificate was not refused");
      }
    }
  }
  bool asked = false;
  JOBD_ASSIGN_OR_RETURN(const Attempt attempt, Prepare(address, material, true, asked));
  SSL_clear_options(attempt.ssl.get(), SSL_OP_NO_TLSv1_2);
  SSL_set_min_proto_version(attempt.ssl.get(), TLS1_2_VERSION);
  SSL_set_max_proto_version(attempt.ssl.get(), TLS1_2_VERSION);
  if (SSL_connect(attempt.ssl.get()) == 1) return Failed("TLS 1.2 was accepted");
  ERR_clear_error();
  return base::Ok();
}

}  // namespace jobd::server
