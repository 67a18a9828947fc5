#include "cli/connect/tls_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/connect/client.h"
#include "jobd/v1/auth_service.pb.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

TEST(ProbeTest, NobodyListening) {
  Connection connection;
  connection.address = "127.0.0.1:1";
  const ProbeResult result = ProbeServer(connection);
  EXPECT_FALSE(result.reached);
  EXPECT_TRUE(result.may_pass);
  EXPECT_EQ(result.reason, "Connection refused");
}

// A certificate that signed itself, and its key.
class ProbeWithCertificateTest : public testing::Test {
 protected:
  ProbeWithCertificateTest() : key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {
    connection_.ca = connection_.cert = folder_ + "/crt";
    connection_.key = folder_ + "/key";
    WriteCertificate(3600);
    Write(connection_.key,
          [this](FILE* file) { return PEM_write_PrivateKey(file, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    connection_.address = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  template <typename Put>
  static void Write(const std::string& path, Put put) {
    const std::unique_ptr<FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "w"), std::fclose);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(put(file.get()), 1);
  }
  // One that ends so many seconds from now.
  void WriteCertificate(long end) const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -100'000);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), end);
    X509_set_pubkey(certificate.get(), key_.get());
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    Write(connection_.cert, [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  const test::TempDir temp_;
  const std::string folder_ = temp_.path();
  base::Fd listener_;
  Connection connection_;
};

// It ignored SIGPIPE for the whole process while it ran, and what another thread had set meanwhile was lost at its end.
TEST_F(ProbeWithCertificateTest, FaultProbeLeavesTheProcessesSigpipeAlone) {
  const auto handler = [](int) {};
  struct sigaction mine {};
  mine.sa_handler = handler;
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGPIPE, &mine, &before), 0);
  struct sigaction during {};
  std::thread server([&] {
    const base::Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 4096> hello{};
    EXPECT_GT(::recv(peer.get(), hello.data(), hello.size(), 0), 0);
    EXPECT_EQ(::sigaction(SIGPIPE, nullptr, &during), 0);
  });
  const ProbeResult result = ProbeServer(connection_);
  server.join();
  struct sigaction after {};
  ASSERT_EQ(::sigaction(SIGPIPE, &before, &after), 0);
  EXPECT_FALSE(result.reached);
  EXPECT_EQ(during.sa_handler, mine.sa_handler);
  EXPECT_EQ(after.sa_handler, mine.sa_handler);
}

// A jobd that is stopped: the kernel takes the connection, and nobody says anything.
TEST_F(ProbeWithCertificateTest, FaultAProbeKeepsToItsBudget) {
  const base::SystemClock clock;
  const base::Nanos begun = clock.Monotonic();
  const ProbeResult result = ProbeServer(connection_, base::kNanosPerSecond / 10);
  EXPECT_LT(clock.Monotonic() - begun, kProbeBudget);
  EXPECT_FALSE(result.reached);
  EXPECT_TRUE(result.may_pass);
  EXPECT_EQ(result.reason, "no answer to the TLS handshake");
}

TEST_F(ProbeWithCertificateTest, FaultAConnectTimeoutIsThatOfAllTogether) {
  connection_.connect_timeout = 2 * base::kNanosPerSecond;
  const base::SystemClock clock;
  const base::Nanos begun = clock.Monotonic();
  std::string noticed;
  auto client = Client::Create(connection_, [&](const std::string& notice) { noticed = notice; });
  ASSERT_TRUE(client.ok()) << client.error().message();
  v1::WhoAmIResponse response;
  const auto status = (*client)->WhoAmI(&response);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "cannot reach jobd at " + connection_.address + ": no answer to the TLS handshake");
  EXPECT_EQ(noticed, status.error().message()) << "said once, in time";
  EXPECT_LT(clock.Monotonic() - begun, 2 * connection_.connect_timeout);
}

// Of an expired certificate one heard that jobd closed the connection; jobctl has the file.
TEST_F(ProbeWithCertificateTest, FaultC25AnExpiredCertificateOfOursIsSaid) {
  WriteCertificate(-5);
  const ProbeResult result = ProbeServer(connection_);
  EXPECT_FALSE(result.reached);
  EXPECT_FALSE(result.may_pass) << "waiting does not mend it";
  EXPECT_NE(result.reason.find("our certificate " + connection_.cert + " expired on "), std::string::npos) << result.reason;
}

}  // namespace
}  // namespace jobd::cli
