#include "bench/streams/tls_copy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "bench/streams/report.h"

namespace jobd::bench {
namespace {

constexpr size_t kPiece = 256 * 1024;

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

Context MakeContext(const std::string& certs, bool server) {
  Context context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()), SSL_CTX_free);
  const std::string mine = certs + (server ? "/server" : "/operator");
  const bool good = SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                    SSL_CTX_use_certificate_chain_file(context.get(), (mine + ".crt").c_str()) == 1 &&
                    SSL_CTX_use_PrivateKey_file(context.get(), (mine + ".key").c_str(), SSL_FILETYPE_PEM) == 1 &&
                    SSL_CTX_load_verify_locations(context.get(), (certs + "/ca.crt").c_str(), nullptr) == 1;
  if (!good) std::abort();
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

Session MakeSession(const Context& context, int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Session session(SSL_new(context.get()), SSL_free);
  SSL_set_fd(session.get(), socket);
  return session;
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

int RunTlsServer(const std::string& certs, uint64_t bytes) {
  const Context context = MakeContext(certs, true);
  const base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 8) != 0) return 1;
  ::getsockname(listener.get(), generic, &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const std::vector<char> piece(kPiece, 'x');
  for (;;) {
    const base::Fd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) return 1;
    const Session session = MakeSession(context, socket.get());
    if (SSL_accept(session.get()) != 1) continue;
    for (uint64_t done = 0; done < bytes; done += kPiece) {
      if (SSL_write(session.get(), piece.data(), static_cast<int>(kPiece)) <= 0) break;
    }
    SSL_shutdown(session.get());
  }
}

double TlsCopy(const std::string& certs, const std::string& address, uint64_t bytes) {
  const Context context = MakeContext(certs, false);
  const base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in peer = Loopback(std::atoi(address.c_str() + address.rfind(':') + 1));
  const double begin = Now();
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) return 0;
  const Session session = MakeSession(context, socket.get());
  if (SSL_connect(session.get()) != 1) return 0;
  std::vector<char> buffer(kPiece);
  uint64_t got = 0;
  for (int n = 0; (n = SSL_read(session.get(), buffer.data(), static_cast<int>(kPiece))) > 0;) got += static_cast<uint64_t>(n);
  return got < bytes ? 0 : static_cast<double>(got) / (Now() - begin);
}

}  // namespace jobd::bench
