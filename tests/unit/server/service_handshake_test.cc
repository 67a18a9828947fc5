// Handshakes that are refused: what is logged of them.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "base/listener.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using testing::Context;
using ::testing::HasSubstr;
using testing::Issued;
using ::testing::Not;

class ServiceHandshake : public testing::ServiceFixture {
 protected:
  // Tries to come in with this certificate, if any, until the service has closed the connection. The address it came from.
  std::string Refused(const Issued& issued, int version = TLS1_3_VERSION) {
    const base::Fd socket = *base::ConnectTo(service_->address(), 10'000);
    const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_clear_options(context.get(), SSL_OP_NO_TLSv1_2);
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    if (!issued.cert.empty()) {
      const BioPtr cert_bio = BioOf(issued.cert);
      const BioPtr key_bio = BioOf(issued.key);
      const X509Ptr cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
      const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
      SSL_CTX_use_certificate(context.get(), cert.get());
      SSL_CTX_use_PrivateKey(context.get(), key.get());
    }
    const SslPtr ssl(SSL_new(context.get()));
    constexpr std::array<unsigned char, 3> kAlpn = {2, 'h', '2'};
    SSL_set_alpn_protos(ssl.get(), kAlpn.data(), kAlpn.size());
    SSL_set_fd(ssl.get(), socket.get());
    char byte = 0;
    // To the client a handshake of TLS 1.3 is over before its certificate was looked at.
    while (SSL_connect(ssl.get()) == 1 && SSL_read(ssl.get(), &byte, 1) > 0) {
    }
    ERR_clear_error();
    return AddressOf(socket);
  }
  // Bytes that are no TLS.
  std::string RefusedBytes(const std::string& bytes) {
    const base::Fd socket = *base::ConnectTo(service_->address(), 10'000);
    std::string address = AddressOf(socket);
    (void)!::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    char byte = 0;
    while (::recv(socket.get(), &byte, 1, 0) > 0) {
    }
    return address;
  }
  static std::string AddressOf(const base::Fd& socket) {
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
  }
};

TEST_F(ServiceHandshake, FaultC18ACertificateOfAnotherAuthorityIsNamedWithItsAddress) {
  testing::TestCa other("other CA");
  const std::string from = Refused(other.Issue({.common_name = "eve", .uris = {"spiffe://jobd/user/admin"}, .serial = 0x1234}));
  EXPECT_THAT(Log(), HasSubstr("refused the TLS handshake of " + from +
                               ": unable to get local issuer certificate; certificate CN=eve "
                               "(spiffe://jobd/user/admin), serial 1234, valid from "));
}

TEST_F(ServiceHandshake, FaultC18ASelfSignedCertificateIsNamed) {
  // Which cannot be told from an authority by its signature alone.
  testing::TestCa self("mallory\x1b[2J");
  const Issued issued = self.Issue({.common_name = "mallory\x1b[2J"});
  Refused(issued);
  EXPECT_THAT(Log(), HasSubstr("; certificate CN=mallory"));
  EXPECT_THAT(Log(), Not(HasSubstr("\x1b")));
}

TEST_F(ServiceHandshake, FaultC18AnExpiredCertificateSaysWhenItEnded) {
  const std::string from = Refused(ca_.Issue({.common_name = "late", .serial = 7, .not_before = -7200, .not_after = -3600}));
  EXPECT_THAT(Log(), HasSubstr(from + ": certificate has expired; certificate CN=late, serial 7, valid from "));
}

TEST_F(ServiceHandshake, FaultC18ACertificateForAnotherUseSaysSo) {
  Refused(ca_.Issue({.common_name = "web", .extended_key_usage = "serverAuth"}));
  EXPECT_THAT(Log(), HasSubstr("certificate purpose; certificate CN=web"));
}

TEST_F(ServiceHandshake, FaultC18NoCertificateAnOldVersionAndOtherBytesHaveAnAddress) {
  const std::string without = Refused({});
  EXPECT_THAT(Log(), HasSubstr("refused the TLS handshake of " + without + ": peer did not return a certificate\n"));
  const std::string old = Refused(ca_.User("admin"), TLS1_2_VERSION);
  EXPECT_THAT(Log(), HasSubstr("refused the TLS handshake of " + old + ": unsupported protocol\n"));
}

TEST_F(ServiceHandshake, FaultC18WhatIsNoTlsIsRefusedWithItsAddress) {
  const std::string http = RefusedBytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(Log(), HasSubstr("refused the TLS handshake of " + http + ": http request\n"));
}

TEST_F(ServiceHandshake, FaultC18ManyAreCountedAndAGoodOneIsNotMentioned) {
  for (int i = 0; i < 20; ++i) Refused({});
  size_t lines = 0;
  const std::string log = Log();
  for (size_t at = log.find("refused the TLS"); at != std::string::npos; at = log.find("refused the TLS", at + 1)) ++lines;
  EXPECT_LT(lines, 20u) << "two a second of one address";
  Context context;
  jobd::v1::WhoAmIResponse response;
  EXPECT_TRUE(jobd::v1::AuthService::NewStub(ChannelOf("viewer"))->WhoAmI(&context, {}, &response).ok());
  const std::string text = metrics_->Text({});
  const std::string counter = "jobd_calls_refused_total{reason=\"unauthenticated\"} ";
  const size_t at = text.find(counter);
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_GE(std::stoi(text.substr(at + counter.size())), 20) << "and those with which the service has tried itself";
}

// Whose certificate is no client's, so that it is refused.
TEST_F(ServiceHandshake, FaultC18TheHandshakeOfAReloadWithItselfIsNotMentioned) {
  const Issued other = ca_.Server();
  {
    const std::lock_guard lock(mutex_);
    files_.tls = {.ca = ca_.pem(), .cert = other.cert, .key = other.key};
  }
  const auto report = service_->Reload(false);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_THAT(report->changed, ::testing::Contains("tls"));
  EXPECT_THAT(Log(), Not(HasSubstr("refused the TLS handshake")));
}

}  // namespace
}  // namespace jobd::server
