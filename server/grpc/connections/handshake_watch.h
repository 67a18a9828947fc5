// TLS handshakes that fail, told with who was at the other end and why.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace jobd::server {

// gRPC 1.51 says of these no more than a line of its log, "Handshake failed with fatal error SSL_ERROR_SSL: …", which names neither
// the address nor the certificate: its TLS code knows no connection, and what knows the connection no certificate. Both are called
// on one thread, one inside the other, so functions before these (ld --wrap; see transport_watch.h for the trick) put them
// together:
//
//   tsi_handshaker_next      a step of a handshake: what is noted below is noted of it
//   SSL_do_handshake         and has failed: why
//   SSL_CTX_set_verify       where no callback was to be called, one of ours is, which changes no verdict: which certificate
//   grpc_endpoint_shutdown   the connection that the step was one of, which is called next: who
//
// Who may come in is decided as before, by OpenSSL and by what looks at each call.
//
// Tells of servers' handshakes alone, of all servers of this process. Thread-safe.
class HandshakeWatch {
 public:
  struct Failure {
    std::string_view peer;    // in gRPC's form: "ipv4:127.0.0.1:4711"
    std::string_view reason;  // OpenSSL's words
    // What describes the certificate that was refused, safe for a terminal, and its SHA-256; empty functions: there was none.
    std::function<std::string()> certificate = {};
    std::function<std::string()> fingerprint = {};
  };
  // Called on gRPC's threads, where nothing may block for long; not any more when the watch has been destroyed.
  using OnFailed = std::function<void(const Failure&)>;

  explicit HandshakeWatch(OnFailed on_failed);
  ~HandshakeWatch();
  HandshakeWatch(const HandshakeWatch&) = delete;
  HandshakeWatch& operator=(const HandshakeWatch&) = delete;

  // A handshake has just failed on this thread and is about to be told of: what gRPC logs now is about that.
  static bool IsTelling();

  void Tell(const Failure& failure) const { on_failed_(failure); }

 private:
  const OnFailed on_failed_;
};

}  // namespace jobd::server
