#include "cli/connect/tls_probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <thread>

#include "base/errno_text.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/connect/openssl_setup.h"
#include "cli/view/time_text.h"

namespace jobd::cli {

namespace {

// A server that does not accept our certificate says so within this: in TLS 1.3 that comes after our side of the handshake.
constexpr base::Nanos kVerdict = 300 * base::kNanosPerMilli;

constexpr const char* kClosed = "jobd closed the connection after the handshake: it seems not to accept our certificate";
// By then a jobd that was about to restart no longer listens.
constexpr base::Nanos kSecondLook = 250 * base::kNanosPerMilli;

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// Waits until fd is ready or the deadline has passed.
bool Await(int fd, short events, base::Nanos deadline) {
  while (true) {
    const base::Nanos left = deadline - base::SystemClock().Monotonic();
    if (left <= 0) return false;
    pollfd wait{fd, events, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left / base::kNanosPerMilli) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// kNotFound: there is no such host, and a later attempt will not find it either. kUnavailable: no connection now.
base::Result<base::Fd> Connect(const std::string& host, const std::string& port, base::Nanos deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    const bool unknown = error == EAI_NONAME || error == EAI_NODATA;
    if (unknown) return base::Error(base::Code::kNotFound, "there is no host '" + base::EscapeForTerminal(host) + "'");
    return base::Error(base::Code::kUnavailable, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, Free> list(found);
  int failure = EHOSTUNREACH;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    base::Fd fd(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) continue;
    if (::connect(fd.get(), entry->ai_addr, entry->ai_addrlen) == 0) return fd;
    failure = errno;
    if (failure != EINPROGRESS) continue;
    socklen_t size = sizeof failure;
    if (!Await(fd.get(), POLLOUT, deadline)) {
      failure = ETIMEDOUT;
    } else if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0) {
      return fd;
    }
  }
  return base::Error(base::Code::kUnavailable, base::ErrnoText(failure));
}

int SendQuietly(BIO* bio, const char* data, int size) {
  int fd = -1;
  BIO_get_fd(bio, &fd);
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && BIO_sock_should_retry(static_cast<int>(sent)) != 0) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

// OpenSSL's BIO of a socket, but one that raises no SIGPIPE when the peer is gone: how the process takes that signal is not the
// business of a library. Borrows `fd`. nullptr: out of memory.
BIO* MakeQuietBio(int fd) {
  struct FreeMethod {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
  };
  static const std::unique_ptr<BIO_METHOD, FreeMethod> method = [] {
    const BIO_METHOD* const socket = BIO_s_socket();
    std::unique_ptr<BIO_METHOD, FreeMethod> made(BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE"));
    if (made == nullptr) return made;
    BIO_meth_set_write(made.get(), SendQuietly);
    BIO_meth_set_read(made.get(), BIO_meth_get_read(socket));
    BIO_meth_set_ctrl(made.get(), BIO_meth_get_ctrl(socket));
    BIO_meth_set_create(made.get(), BIO_meth_get_create(socket));
    BIO_meth_set_destroy(made.get(), BIO_meth_get_destroy(socket));
    return made;
  }();
  BIO* const bio = method == nullptr ? nullptr : BIO_new(method.get());
  if (bio != nullptr) BIO_set_fd(bio, fd, BIO_NOCLOSE);
  return bio;
}

// Runs one step of OpenSSL to its end. Returns what OpenSSL does: 1 is success; -2 means that the deadline has passed.
template <typename Step>
int Drive(SSL* ssl, base::Nanos deadline, Step step) {
  while (true) {
    ERR_clear_error();
    const int result = step(ssl);
    if (result > 0) return result;
    const int error = SSL_get_error(ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return result;
    if (!Await(SSL_get_fd(ssl), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      ERR_clear_error();
      return -2;
    }
  }
}

// Why the handshake failed. A certificate does not get better by waiting; a connection that was cut off may work next time.
ProbeResult Complaint(SSL* ssl) {
  const long verdict = SSL_get_verify_result(ssl);
  const std::string errors = TakeOpenSslErrors();
  if (verdict != X509_V_OK) {
    return {false, false, std::string("jobd's certificate is not acceptable: ") + X509_verify_cert_error_string(verdict)};
  }
  if (errors.find("alert") != std::string::npos) return {false, false, "jobd refused our certificate or handshake: " + errors};
  if (errors.empty() || errors.find("eof") != std::string::npos) return {false, true, "the TLS handshake was cut off"};
  return {false, false, errors};
}

ProbeResult Shake(SSL_CTX* context, const std::string& host, int fd, base::Nanos deadline) {
  const std::unique_ptr<SSL, Free> ssl(SSL_new(context));
  if (ssl == nullptr) return {false, false, TakeOpenSslErrors()};
  in6_addr unused{};
  const bool is_ip = ::inet_pton(AF_INET, host.c_str(), &unused) == 1 || ::inet_pton(AF_INET6, host.c_str(), &unused) == 1;
  if (is_ip) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set1_host(ssl.get(), host.c_str());
    // What SSL_set_tlsext_host_name does, without the macro's C cast.
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
  }
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof kAlpn);
  BIO* const bio = MakeQuietBio(fd);
  if (bio == nullptr) return {false, false, TakeOpenSslErrors()};
  SSL_set_bio(ssl.get(), bio, bio);  // owns it from here on
  const int shaken = Drive(ssl.get(), deadline, SSL_connect);
  if (shaken == -2) return {false, true, "no answer to the TLS handshake"};
  if (shaken != 1) return Complaint(ssl.get());
  char byte = 0;
  const base::Nanos verdict_due = std::min(deadline, base::SystemClock().Monotonic() + kVerdict);
  const int read = Drive(ssl.get(), verdict_due, [&byte](SSL* s) { return SSL_read(s, &byte, 1); });
  if (read > 0 || read == -2) return {true, true, ""};
  ProbeResult result = Complaint(ssl.get());
  if (result.may_pass) result.reason = kClosed;
  return result;
}

// When the certificate expired, in local time; empty: it has not.
std::string ExpiredOn(const X509* certificate) {
  const ASN1_TIME* const end = X509_get0_notAfter(certificate);
  tm fields{};
  if (X509_cmp_current_time(end) >= 0 || ASN1_TIME_to_tm(end, &fields) != 1) return "";
  return AbsoluteTime(::timegm(&fields) * base::kNanosPerSecond);
}

ProbeResult Probe(const Connection& connection, const std::pair<std::string, std::string>& address, base::Nanos budget) {
  const base::Nanos deadline = base::SystemClock().Monotonic() + budget;
  const auto socket = Connect(address.first, address.second, deadline);
  if (!socket.ok()) return {false, socket.error().code() != base::Code::kNotFound, socket.error().message()};
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1) {
    return {false, false, "setting up TLS: " + TakeOpenSslErrors()};
  }
  const auto unusable = [](const std::string& what, const std::string& path) {
    return ProbeResult{false, false, "the " + what + " " + path + " cannot be used: " + TakeOpenSslErrors()};
  };
  if (SSL_CTX_load_verify_locations(context.get(), connection.ca.c_str(), nullptr) != 1)
    return unusable("CA certificate", connection.ca);
  if (SSL_CTX_use_certificate_chain_file(context.get(), connection.cert.c_str()) != 1)
    return unusable("client certificate", connection.cert);
  if (SSL_CTX_use_PrivateKey_file(context.get(), connection.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    if (ERR_GET_REASON(ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH) return unusable("client key", connection.key);
    ERR_clear_error();
    return {false, false, "the client key " + connection.key + " is not the key of the client certificate " + connection.cert};
  }
  if (std::string expired = ExpiredOn(SSL_CTX_get0_certificate(context.get())); !expired.empty()) {
    return {false, false,
            "our certificate " + connection.cert + " expired on " + expired + "; ask whoever runs jobd for a new one"};
  }
  return Shake(context.get(), address.first, socket->get(), deadline);
}

}  // namespace

ProbeResult ProbeServer(const Connection& connection, base::Nanos budget) {
  const auto address = SplitAddress(connection.address);
  if (!address.ok()) return {false, false, address.error().message()};
  ProbeResult result = Probe(connection, *address, budget);
  if (result.reason != kClosed) return result;
  // A jobd that died in this moment looks the same; but it does not die twice.
  std::this_thread::sleep_for(std::chrono::nanoseconds(kSecondLook));
  result = Probe(connection, *address, budget);
  if (result.reason == kClosed) result.may_pass = false;
  return result;
}

}  // namespace jobd::cli
