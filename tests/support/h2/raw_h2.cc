#include "tests/support/h2/raw_h2.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>

namespace jobd::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kEndHeaders = 0x4;
constexpr size_t kFrameHeader = 9;
constexpr size_t kMaxFrame = 16384;

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

// HPACK: a literal with incremental indexing (RFC 7541, 6.2.1), of texts below 127 bytes.
std::string Indexed(const std::string& name, const std::string& value) {
  return "\x40" + Number(name.size(), 1) + name + Number(value.size(), 1) + value;
}

int Left(Clock::time_point until) {
  return static_cast<int>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count()));
}

}  // namespace

std::unique_ptr<RawH2> RawH2::Connect(const std::string& address, const TlsIdentity& identity, const std::string& from,
                                      int timeout_ms) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2)
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  std::unique_ptr<RawH2> made(new RawH2);
  made->socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{.sin_family = AF_INET};
  if (!from.empty()) {
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    if (::bind(made->socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return nullptr;
  }
  const size_t colon = address.rfind(':');
  sockaddr_in peer{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)))};
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
  if (::connect(made->socket_.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) return nullptr;
  const int on = 1;
  setsockopt(made->socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(made->socket_.get(), F_SETFL, O_NONBLOCK);

  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  made->ssl_.reset(SSL_new(made->context_.get()));
  SSL* const ssl = made->ssl_.get();
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  BIO* const cert_bio = BIO_new_mem_buf(identity.cert.data(), static_cast<int>(identity.cert.size()));
  BIO* const key_bio = BIO_new_mem_buf(identity.key.data(), static_cast<int>(identity.key.size()));
  X509* const cert = PEM_read_bio_X509(cert_bio, nullptr, nullptr, nullptr);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
  SSL_use_certificate(ssl, cert);
  // What follows the leaf are intermediates.
  while (X509* const next = PEM_read_bio_X509(cert_bio, nullptr, nullptr, nullptr)) SSL_add0_chain_cert(ssl, next);
  SSL_use_PrivateKey(ssl, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  BIO_free(cert_bio);
  BIO_free(key_bio);
  ERR_clear_error();
  static constexpr std::array<unsigned char, 3> kAlpn = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl, kAlpn.data(), kAlpn.size());
  SSL_set_fd(ssl, made->socket_.get());
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(ssl);
    if (done == 1) break;
    const int why = SSL_get_error(ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return nullptr;
    if (!made->Poll(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, Left(until))) return nullptr;
  }
  made->out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  made->Frame(Type::kSettings, 0, 0, "");
  return made;
}

bool RawH2::Poll(short events, int timeout_ms) const {
  pollfd polled{socket_.get(), events, 0};
  return ::poll(&polled, 1, timeout_ms) > 0;
}

void RawH2::Frame(Type type, uint8_t flags, uint32_t stream, const std::string& payload) {
  out_ += Number(payload.size(), 3) + Number(static_cast<uint8_t>(type), 1) + Number(flags, 1) + Number(stream, 4) + payload;
}

uint32_t RawH2::Headers(const std::string& path, bool end_stream) {
  std::string block = "\x83\x87";  // :method POST, :scheme https
  if (path == indexed_path_) {
    block += "\xc1\xc0\xbf\xbe";
  } else {
    indexed_path_ = path;
    block += Indexed(":path", path) + Indexed(":authority", "localhost") + Indexed("content-type", "application/grpc") +
             Indexed("te", "trailers");
  }
  const uint32_t stream = next_stream_;
  next_stream_ += 2;
  Frame(Type::kHeaders, static_cast<uint8_t>(kEndHeaders | (end_stream ? kEndStream : 0)), stream, block);
  return stream;
}

void RawH2::Message(uint32_t stream, const std::string& message, bool end_stream, size_t cut_to) {
  std::string bytes = Number(0, 1) + Number(message.size(), 4) + message;
  if (bytes.size() > cut_to) bytes.resize(cut_to);
  size_t at = 0;
  do {
    const size_t count = std::min(kMaxFrame, bytes.size() - at);
    const bool last = at + count == bytes.size();
    Frame(Type::kData, end_stream && last ? kEndStream : 0, stream, bytes.substr(at, count));
    at += count;
  } while (at < bytes.size());
}

void RawH2::Reset(uint32_t stream) { Frame(Type::kReset, 0, stream, Number(8, 4)); }

void RawH2::GoAway() { Frame(Type::kGoAway, 0, 0, Number(0, 8)); }

bool RawH2::Flush(int timeout_ms) {
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  size_t sent = 0;
  while (!over_ && sent < out_.size()) {
    ERR_clear_error();
    const int count = SSL_write(ssl_.get(), out_.data() + sent, static_cast<int>(std::min<size_t>(out_.size() - sent, 1 << 20)));
    if (count > 0) {
      sent += static_cast<size_t>(count);
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), count);
    if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) over_ = true;
    TakeIn();
    if (over_ || !Poll(POLLIN | POLLOUT, Left(until))) break;
  }
  out_.erase(0, sent);
  return out_.empty() && !over_;
}

void RawH2::TakeIn() {
  std::array<char, 16384> bytes;
  while (!over_) {
    ERR_clear_error();
    const int count = SSL_read(ssl_.get(), bytes.data(), bytes.size());
    if (count <= 0) {
      const int why = SSL_get_error(ssl_.get(), count);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) over_ = true;
      break;
    }
    in_.append(bytes.data(), static_cast<size_t>(count));
  }
  size_t at = 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(in_[at + i]); };
  while (in_.size() - at >= kFrameHeader) {
    const size_t length = static_cast<size_t>(byte(0)) << 16 | static_cast<size_t>(byte(1)) << 8 | byte(2);
    if (in_.size() - at < kFrameHeader + length) break;
    const uint32_t stream =
        static_cast<uint32_t>(byte(5)) << 24 | static_cast<uint32_t>(byte(6)) << 16 | static_cast<uint32_t>(byte(7)) << 8 | byte(8);
    ++frames_[stream];
    const auto type = static_cast<Type>(byte(3));
    if (stream != 0 && (type == Type::kReset || (type == Type::kHeaders && (byte(4) & kEndStream) != 0))) ended_.insert(stream);
    at += kFrameHeader + length;
  }
  in_.erase(0, at);
}

bool RawH2::ReadUntil(const std::function<bool()>& enough, int timeout_ms) {
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    TakeIn();
    if (over_ || enough()) return true;
    if (!Poll(POLLIN, Left(until))) return false;
  }
}

size_t RawH2::frames_of(uint32_t stream) const {
  const auto found = frames_.find(stream);
  return found == frames_.end() ? 0 : found->second;
}

void RawH2::Cut() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  socket_.reset();
  over_ = true;
}

void RawH2::Fin() { ::shutdown(socket_.get(), SHUT_WR); }

}  // namespace jobd::test
