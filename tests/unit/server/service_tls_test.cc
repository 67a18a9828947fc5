// The transport: versions, resumption, connections, reloads.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <vector>

#include "base/listener.h"
#include "jobd/v1/admin_service.grpc.pb.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using testing::Context;
using testing::Issued;

class ServiceTls : public testing::ServiceFixture {
 protected:
  struct Client {
    base::Fd socket;
    SslContextPtr context;
    SslPtr ssl;
  };
  // A TLS client of our own, that may try versions this process's policy forbids.
  Client Connect(const Issued& issued, int version) {
    Client client;
    client.socket = *base::ConnectTo(service_->address(), 10'000);
    client.context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_clear_options(client.context.get(), SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2);
    SSL_CTX_set_security_level(client.context.get(), 0);
    SSL_CTX_set_min_proto_version(client.context.get(), version);
    SSL_CTX_set_max_proto_version(client.context.get(), version);
    const BioPtr cert_bio = BioOf(issued.cert);
    const BioPtr key_bio = BioOf(issued.key);
    const X509Ptr cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
    const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    SSL_CTX_use_certificate(client.context.get(), cert.get());
    SSL_CTX_use_PrivateKey(client.context.get(), key.get());
    client.ssl.reset(SSL_new(client.context.get()));
    const unsigned char alpn[] = {2, 'h', '2'};
    SSL_set_alpn_protos(client.ssl.get(), alpn, sizeof alpn);
    SSL_set_fd(client.ssl.get(), client.socket.get());
    return client;
  }

  bool Reachable() {
    Context context;
    jobd::v1::WhoAmIResponse response;
    return jobd::v1::AuthService::NewStub(ChannelOf("viewer"))->WhoAmI(&context, {}, &response).ok();
  }

  // True when the other side has closed this connection, which is waited for.
  static bool Closed(int socket) {
    char byte = 0;
    const ssize_t n = recv(socket, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }
};

TEST_F(ServiceTls, OnlyVersion13) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION}) {
    const Client client = Connect(ca_.User("admin"), version);
    EXPECT_NE(SSL_connect(client.ssl.get()), 1) << version;
  }
  const Client client = Connect(ca_.User("admin"), TLS1_3_VERSION);
  EXPECT_EQ(SSL_connect(client.ssl.get()), 1);
}

TEST_F(ServiceTls, NothingToResumeASessionWith) {
  const Client client = Connect(ca_.User("admin"), TLS1_3_VERSION);
  ASSERT_EQ(SSL_connect(client.ssl.get()), 1);
  // The server's first message; tickets would come before it.
  char byte = 0;
  ASSERT_EQ(SSL_read(client.ssl.get(), &byte, 1), 1);
  EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(client.ssl.get())), 0);
}

TEST_F(ServiceTls, SilentConnectionsDoNotShutOutOthers) {
  std::vector<base::Fd> silent;
  for (int i = 0; i < 400; ++i) {
    auto socket = base::ConnectTo(service_->address(), 10'000);
    ASSERT_TRUE(socket.ok());
    silent.push_back(*std::move(socket));
  }
  EXPECT_TRUE(Reachable());
  // The limit is 256 an address: the first have given way.
  EXPECT_TRUE(Closed(silent.front().get()));
}

TEST_F(ServiceTls, TheAcceptLoopOutlivesTheEndOfDescriptors) {
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  // Nothing is free above what is open now, once the client's own socket is.
  base::Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const base::Fd highest(dup(client.get()));
  const rlimit tight{static_cast<rlim_t>(highest.get() + 1), old.rlim_max};
  std::vector<base::Fd> filler;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (;;) {
    base::Fd fd(dup(client.get()));
    if (!fd) break;
    filler.push_back(std::move(fd));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string& bound = service_->address();
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1))));
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval timeout{.tv_sec = 10, .tv_usec = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  const bool refused = Closed(client.get());
  filler.clear();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(refused);
  EXPECT_TRUE(Reachable());
}

TEST_F(ServiceTls, NewCertificatesHoldForNewConnections) {
  const auto old_channel = ChannelOf("viewer");
  Context first;
  jobd::v1::WhoAmIResponse response;
  ASSERT_TRUE(jobd::v1::AuthService::NewStub(old_channel)->WhoAmI(&first, {}, &response).ok());
  const Issued fresh = ca_.Server();
  {
    const std::lock_guard lock(mutex_);
    files_.tls.cert = fresh.cert;
    files_.tls.key = fresh.key;
  }
  const auto report = service_->Reload(false);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->changed, std::vector<std::string>{"tls"});
  const Client client = Connect(ca_.User("admin"), TLS1_3_VERSION);
  ASSERT_EQ(SSL_connect(client.ssl.get()), 1);
  const X509Ptr shown(SSL_get1_peer_certificate(client.ssl.get()));
  EXPECT_EQ(testing::Pem(shown.get()), fresh.cert);
  Context second;
  EXPECT_TRUE(jobd::v1::AuthService::NewStub(old_channel)->WhoAmI(&second, {}, &response).ok());
}

TEST_F(ServiceTls, FaultD17WhatWasForcedCanBeTakenBackWithoutForce) {
  const FileContents before = files_;
  const Issued elsewhere = ca_.Issue({.common_name = "server", .dns = {"elsewhere.example"}, .extended_key_usage = "serverAuth"});
  const auto serve = [&](const TlsFiles& tls, bool force) {
    {
      const std::lock_guard lock(mutex_);
      files_.tls = tls;
    }
    return service_->Reload(force).ok();
  };
  TlsFiles other = before.tls;
  other.cert = elsewhere.cert;
  other.key = elsewhere.key;
  EXPECT_FALSE(serve(other, false));
  ASSERT_TRUE(serve(other, true));
  EXPECT_TRUE(serve(before.tls, false)) << "who would be locked out, is";
  EXPECT_FALSE(serve(other, false)) << "and that it was forced once counts no more";
}

TEST_F(ServiceTls, AnExchangedAuthorityEndsTheCallsOfConnectionsFromBefore) {
  const auto channel = ChannelOf("viewer");
  const auto call = [&] {
    Context context;
    jobd::v1::WhoAmIResponse response;
    return jobd::v1::AuthService::NewStub(channel)->WhoAmI(&context, {}, &response).ok();
  };
  ASSERT_TRUE(call());
  testing::TestCa other("other");
  {
    const std::lock_guard lock(mutex_);
    files_.config.insert(files_.config.find("[tls]\n") + 6, "client_ca = \"/clients\"\n");
    files_.tls.client_ca = other.pem();
  }
  ASSERT_TRUE(service_->Reload(true).ok());
  EXPECT_FALSE(call());
}

TEST_F(ServiceTls, BadFilesReplaceNothing) {
  testing::TestCa other;
  const FileContents good = files_;
  const Issued stranger = other.Server();
  std::vector<FileContents> bad(8, good);
  bad[0].tls.key = stranger.key;                            // of another certificate
  bad[1].tls = {good.tls.ca, stranger.cert, stranger.key};  // of another authority
  bad[2].tls.ca = "garbage";
  bad[3].users = "[[user]]\nname = \"admin\"\nrole = \"king\"\n";
  bad[4].users = "[[user]]\nname = \"viewer\"\nrole = \"viewer\"\n";  // locks everyone out
  bad[5].revoked = "not hex";
  bad[6].revoked = std::nullopt;  // configured, but missing
  bad[7].config = good.config + "[limits]\nmax_runing = 3\n";
  for (size_t i = 0; i < bad.size(); ++i) {
    {
      const std::lock_guard lock(mutex_);
      files_ = bad[i];
    }
    const auto report = service_->Reload(false);
    ASSERT_FALSE(report.ok()) << i;
    EXPECT_EQ(report.error().code(), base::Code::kFailedPrecondition) << i;
    EXPECT_EQ(report.error().message().find("PRIVATE KEY"), std::string::npos) << i;
    EXPECT_TRUE(Reachable()) << i << ": " << report.error().message();
  }
}

TEST_F(ServiceTls, AReloadSaysWhatChangedAndWhatCannot) {
  {
    const std::lock_guard lock(mutex_);
    files_.config += "[limits]\nmax_running = 7\nmax_batch_jobs = 3\n[log]\nformat = \"json\"\n";
  }
  Context context;
  jobd::v1::ReloadResponse response;
  const auto status = jobd::v1::AdminService::NewStub(ChannelOf("admin"))->Reload(&context, {}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(std::vector<std::string>(response.changed().begin(), response.changed().end()),
            (std::vector<std::string>{"limits.max_running", "limits.max_batch_jobs"}));
  EXPECT_EQ(std::vector<std::string>(response.needs_restart().begin(), response.needs_restart().end()),
            std::vector<std::string>{"log.format"});
  EXPECT_EQ(worker_.limits.max_running, 7u);
  Context config_context;
  jobd::v1::GetConfigResponse config;
  ASSERT_TRUE(jobd::v1::AdminService::NewStub(ChannelOf("admin"))->GetConfig(&config_context, {}, &config).ok());
  EXPECT_EQ(config.config_revision(), response.config_revision());
  for (const auto& setting : config.settings()) {
    if (setting.key() == "log.format") {
      EXPECT_EQ(setting.value(), "text");
    }
    if (setting.key() == "limits.max_running") {
      EXPECT_EQ(setting.value(), "7");
    }
  }
}

}  // namespace
}  // namespace jobd::server
