// Who gets in, and how far: over the network, through the real gRPC server.
#include <grpcpp/generic/generic_stub.h>

#include "jobd/v1/admin_service.grpc.pb.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "server/auth/access_table.h"
#include "server/auth/client_chain.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using testing::Context;
using testing::Issued;
using testing::TestCa;

class ServiceAccess : public testing::ServiceFixture {
 protected:
  grpc::Status WhoAmI(const std::shared_ptr<grpc::Channel>& channel, jobd::v1::WhoAmIResponse* response = nullptr) {
    Context context;
    jobd::v1::WhoAmIResponse ignored;
    return jobd::v1::AuthService::NewStub(channel)->WhoAmI(&context, {}, response != nullptr ? response : &ignored);
  }

  // The status of a call of any method with an empty message.
  grpc::Status CallMethod(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
    Context context;
    grpc::GenericStub stub(channel);
    grpc::CompletionQueue queue;
    const grpc::Slice empty;
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&empty, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  std::string Execute(const std::shared_ptr<grpc::Channel>& channel, const std::string& id, grpc::Status& status) {
    Context context;
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id(id);
    request.mutable_job()->add_argv("true");
    jobd::v1::ExecuteJobResponse response;
    status = jobd::v1::JobScheduleService::NewStub(channel)->ExecuteJob(&context, request, &response);
    return response.correlation_id();
  }
};

TEST_F(ServiceAccess, WithoutACertificateThereIsNoConnection) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  const auto channel = grpc::CreateCustomChannel(service_->address(), grpc::SslCredentials({ca_.pem(), "", ""}), arguments);
  EXPECT_EQ(WhoAmI(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceAccess, AnotherAuthorityOfTheSameNameIsRefused) {
  TestCa other;
  EXPECT_EQ(WhoAmI(Channel(other.User("admin"))).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceAccess, ExpiredAndFutureCertificatesAreRefused) {
  testing::CertSpec spec{.uris = {"spiffe://jobd/user/admin"}, .not_before = -7200, .not_after = -3600};
  EXPECT_EQ(WhoAmI(Channel(ca_.Issue(spec))).error_code(), grpc::StatusCode::UNAVAILABLE);
  spec.not_before = 3600;
  spec.not_after = 7200;
  EXPECT_EQ(WhoAmI(Channel(ca_.Issue(spec))).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceAccess, CertificatesOfNobodyAreUnauthenticatedEverywhere) {
  const Issued nobodies[] = {ca_.Issue({.common_name = "admin"}),
                             ca_.Issue({.uris = {"spiffe://jobd/user/admin", "spiffe://jobd/user/viewer"}}),
                             ca_.Issue({.uris = {"spiffe://jobd/user/admin"}, .extended_key_usage = ""}), ca_.User("stranger")};
  for (const Issued& nobody : nobodies) {
    const auto channel = Channel(nobody);
    for (const MethodRule& rule : MethodRules()) {
      EXPECT_EQ(CallMethod(channel, std::string(rule.method)).error_code(), grpc::StatusCode::UNAUTHENTICATED) << rule.method;
    }
    EXPECT_EQ(CallMethod(channel, "/no.such.Service/Method").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  EXPECT_EQ(worker_.changes(), 0);
  EXPECT_TRUE(worker_.submissions().empty());
}

TEST_F(ServiceAccess, TheTableHoldsOverTheNetwork) {
  const std::pair<const char*, config::Role> users[] = {
      {"viewer", config::Role::kViewer}, {"operator", config::Role::kOperator}, {"admin", config::Role::kAdmin}};
  for (const auto& [name, role] : users) {
    const auto channel = ChannelOf(name);
    for (const MethodRule& rule : MethodRules()) {
      // Reflection waits for its client; who may call it is in the next test.
      if (rule.method.starts_with("/grpc.")) continue;
      const auto code = CallMethod(channel, std::string(rule.method)).error_code();
      if (rule.carries == Carries::kToken) {
        EXPECT_EQ(code, grpc::StatusCode::UNAUTHENTICATED) << name << " " << rule.method;
      } else if (rule.For(role) == Scope::kNone) {
        EXPECT_EQ(code, grpc::StatusCode::PERMISSION_DENIED) << name << " " << rule.method;
      } else {
        EXPECT_NE(code, grpc::StatusCode::PERMISSION_DENIED) << name << " " << rule.method;
        EXPECT_NE(code, grpc::StatusCode::UNAUTHENTICATED) << name << " " << rule.method;
        EXPECT_NE(code, grpc::StatusCode::UNIMPLEMENTED) << name << " " << rule.method;
      }
    }
  }
}

TEST_F(ServiceAccess, HealthAndReflectionAnswerWhoIsKnown) {
  const auto channel = ChannelOf("viewer");
  EXPECT_TRUE(CallMethod(channel, "/grpc.health.v1.Health/Check").ok());
  EXPECT_EQ(CallMethod(Channel(ca_.User("stranger")), "/grpc.health.v1.Health/Check").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  // One request and the end of the stream: reflection answers, and then with OK.
  EXPECT_TRUE(CallMethod(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").ok());
}

TEST_F(ServiceAccess, UnknownMethodsAreUnimplemented) {
  const auto channel = ChannelOf("admin");
  for (const std::string& path :
       {std::string("/jobd.v1.AdminService/Shutdown"), std::string("/jobd.v1.JobQueryService/../AdminService/Stop"),
        std::string("/grpc.channelz.v1.Channelz/GetServers"), "/" + std::string(4000, 'x') + "/y"}) {
    EXPECT_EQ(CallMethod(channel, path).error_code(), grpc::StatusCode::UNIMPLEMENTED) << path.substr(0, 60);
  }
  // More than the headers of a call may come to.
  const auto code = CallMethod(channel, "/" + std::string(8000, 'x') + "/y").error_code();
  EXPECT_EQ(code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(worker_.changes(), 0);
}

TEST_F(ServiceAccess, RefusalsAreLoggedWithoutLettingTheClientWriteTheLog) {
  (void)CallMethod(ChannelOf("viewer"), "/jobd.v1.AdminService/Stop\n2026 forged line");
  (void)CallMethod(ChannelOf("viewer"), "/jobd.v1.AdminService/Stop");
  const std::string log = Log();
  EXPECT_NE(log.find("refused /jobd.v1.AdminService/Stop of viewer"), std::string::npos) << log;
  EXPECT_NE(log.find(" from 127.0.0.1:"), std::string::npos) << log;
  EXPECT_NE(log.find(", certificate spiffe://jobd/user/viewer: "), std::string::npos) << log;
  EXPECT_EQ(log.find("\n2026 forged"), std::string::npos) << log;
}

TEST_F(ServiceAccess, FaultC18WhoIsRefusedIsLoggedWithAddressAndCertificate) {
  const Issued stranger = ca_.Issue({.common_name = "nobody", .uris = {"spiffe://jobd/user/stranger", "urn:x\x1b[31m\nforged"}});
  EXPECT_EQ(WhoAmI(Channel(stranger)).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const Issued unnamed = ca_.Issue({.common_name = "unnamed"});
  EXPECT_EQ(WhoAmI(Channel(unnamed)).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const std::string log = Log();
  EXPECT_NE(log.find("of a stranger from 127.0.0.1:"), std::string::npos) << log;
  EXPECT_NE(log.find("certificate spiffe://jobd/user/stranger, urn:x\\x1b[31m"), std::string::npos) << log;
  EXPECT_EQ(log.find("\nforged"), std::string::npos) << log;
  EXPECT_NE(log.find("certificate SHA-256 " + ParseCertificate(unnamed.cert)->fingerprint), std::string::npos) << log;
}

TEST_F(ServiceAccess, AChainThatIsTooLongIsRefusedAndSaysSo) {
  const std::string junk = TestCa("junk").pem();
  Issued client = ca_.User("operator");
  for (size_t i = 1; i < kMaxChainCertificates; ++i) client.cert += junk;
  EXPECT_TRUE(WhoAmI(Channel(client)).ok());
  client.cert += junk;
  const grpc::Status refused = WhoAmI(Channel(client));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_NE(refused.error_message().find("at most 16 certificates"), std::string::npos) << refused.error_message();
}

TEST_F(ServiceAccess, WhoAmIToldByTheCertificateAlone) {
  Context context;
  context.AddMetadata("x-user", "admin");
  context.AddMetadata("role", "admin");
  jobd::v1::WhoAmIResponse response;
  ASSERT_TRUE(jobd::v1::AuthService::NewStub(ChannelOf("operator"))->WhoAmI(&context, {}, &response).ok());
  EXPECT_EQ(response.name(), "operator");
  EXPECT_EQ(response.role(), "operator");
}

TEST_F(ServiceAccess, RevocationEndsCallsAndStreamsOfOpenConnections) {
  grpc::Status status;
  Execute(ChannelOf("operator"), "mine", status);
  const Issued certificate = ca_.User("operator");
  const auto channel = Channel(certificate);
  Context context;
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("mine");
  request.set_follow(true);
  const auto stub = jobd::v1::JobQueryService::NewStub(channel);
  const auto reader = stub->StreamLogs(&context, request);
  worker_.log->Append("hello");
  jobd::v1::StreamLogsResponse page;
  ASSERT_TRUE(reader->Read(&page));
  {
    const std::lock_guard lock(mutex_);
    files_.revoked = ParseCertificate(certificate.cert)->fingerprint + "\n";
  }
  ASSERT_TRUE(service_->Reload(false).ok());
  while (reader->Read(&page)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(WhoAmI(channel).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(WhoAmI(ChannelOf("operator2")).ok());
}

// A call is there as soon as its headers are; its message may come when its caller has no right any more.
TEST_F(ServiceAccess, ACallWhoseMessageComesAfterTheRightHasEndedIsRefused) {
  const std::string users[] = {
      "[[user]]\nname = \"operator\"\nrole = \"operator\"\ndisabled = true\n",
      "[[user]]\nname = \"operator\"\nrole = \"viewer\"\n",
  };
  const grpc::StatusCode codes[] = {grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::PERMISSION_DENIED};
  for (size_t i = 0; i < std::size(users); ++i) {
    const auto set_users = [&](const std::string& text) {
      {
        const std::lock_guard lock(mutex_);
        files_.users = text;
      }
      ASSERT_TRUE(service_->Reload(false).ok());
    };
    set_users(testing::kUsers);
    const auto channel = ChannelOf("operator");
    Context context;
    grpc::GenericStub stub(channel);
    grpc::CompletionQueue queue;
    const auto next = [&] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    const auto call = stub.PrepareCall(&context, "/jobd.v1.JobScheduleService/ExecuteJob", &queue);
    call->StartCall(nullptr);
    ASSERT_TRUE(next());
    // On the same connection, behind the headers.
    ASSERT_TRUE(WhoAmI(channel).ok());
    set_users("[[user]]\nname = \"admin\"\nrole = \"admin\"\n" + users[i]);
    jobd::v1::ExecuteJobRequest request;
    request.mutable_job()->add_argv("true");
    const grpc::Slice bytes(request.SerializeAsString());
    call->Write(grpc::ByteBuffer(&bytes, 1), nullptr);
    next();
    call->WritesDone(nullptr);
    next();
    grpc::Status status;
    call->Finish(&status, nullptr);
    ASSERT_TRUE(next());
    EXPECT_EQ(status.error_code(), codes[i]) << status.error_message();
    EXPECT_TRUE(worker_.submissions().empty());
  }
}

}  // namespace
}  // namespace jobd::server
