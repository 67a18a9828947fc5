// Logins over the network, through the real gRPC server: what is in headers and trailers.
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <fstream>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "tests/unit/server/service_fixture.h"
#include "tests/unit/server/test_users.h"

namespace jobd::server {
namespace {

using testing::Context;
using testing::Issued;
using testing::kPassword;

class ServiceLogin : public testing::ServiceFixture {
 protected:
  std::string Users() const override { return testing::UsersText(); }

  static jobd::v1::LoginRequest As(const std::string& user, const std::string& password = kPassword) {
    jobd::v1::LoginRequest request;
    request.set_username(user);
    request.set_password(password);
    return request;
  }
  static grpc::Status Login(const std::shared_ptr<grpc::Channel>& channel, const jobd::v1::LoginRequest& request,
                            jobd::v1::LoginResponse* response) {
    Context context;
    return jobd::v1::AuthService::NewStub(channel)->Login(&context, request, response);
  }
  static grpc::Status WhoAmI(const std::shared_ptr<grpc::Channel>& channel, const std::vector<std::string>& authorization,
                             jobd::v1::WhoAmIResponse* response = nullptr) {
    Context context;
    for (const std::string& value : authorization) context.AddMetadata("authorization", value);
    jobd::v1::WhoAmIResponse ignored;
    return jobd::v1::AuthService::NewStub(channel)->WhoAmI(&context, {}, response != nullptr ? response : &ignored);
  }
  // The most memory that this process has had, in bytes.
  static uint64_t Peak() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
    }
    return 0;
  }
};

TEST_F(ServiceLogin, ATokenIsSentAsBearerAndBoundToItsCertificate) {
  const auto web = Channel(ca_.Host("web"));
  EXPECT_EQ(WhoAmI(web, {}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  jobd::v1::LoginResponse granted;
  const grpc::Status login = Login(web, As("operator2"), &granted);
  ASSERT_TRUE(login.ok()) << login.error_message();
  const std::string bearer = "Bearer " + granted.access_token();
  jobd::v1::WhoAmIResponse who;
  ASSERT_TRUE(WhoAmI(web, {bearer}, &who).ok());
  EXPECT_EQ(who.name(), "operator2");
  EXPECT_EQ(who.caller(), "host");
  EXPECT_EQ(WhoAmI(Channel(ca_.Host("web")), {bearer}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(WhoAmI(ChannelOf("operator2"), {bearer}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(WhoAmI(ChannelOf("operator"), {bearer}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(WhoAmI(web, {bearer, bearer}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(WhoAmI(web, {"Basic eDp5"}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Log().find(granted.access_token()), std::string::npos);
}

TEST_F(ServiceLogin, WhoIsThrottledIsToldForHowLong) {
  const auto web = Channel(ca_.Host("web"));
  jobd::v1::LoginResponse ignored;
  grpc::Status status;
  for (int i = 0; i < 11; ++i) status = Login(web, As("operator", "wrong password"), &ignored);
  ASSERT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(0).UnpackTo(&retry));
  EXPECT_GE(retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1'000'000, 100);
  EXPECT_LE(retry.retry_delay().seconds(), 6);
  EXPECT_TRUE(Login(Channel(ca_.Host("root")), As("operator"), &ignored).ok()) << "and nobody else is";
}

TEST_F(ServiceLogin, AMegabyteOfPasswordIsRefusedForWhatItIs) {
  const auto web = Channel(ca_.Host("web"));
  jobd::v1::LoginResponse ignored;
  const grpc::Status known = Login(web, As("operator", std::string(1 << 20, 'x')), &ignored);
  const grpc::Status unknown = Login(web, As("nobody", std::string(1 << 20, 'x')), &ignored);
  EXPECT_EQ(known.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(known.error_code(), unknown.error_code());
  EXPECT_EQ(known.error_message(), unknown.error_message());
  EXPECT_EQ(known.error_details(), unknown.error_details());
}

TEST_F(ServiceLogin, FiveHundredAtOnceTakeTheMemoryOfFour) {
  constexpr size_t kMany = 500;
  struct Call {
    Context context;
    jobd::v1::LoginResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<jobd::v1::LoginResponse>> reader;
  };
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Call>> calls;
  const uint64_t before = Peak();
  // A host and several others, as no certificate has more than half of the places.
  std::vector<std::unique_ptr<jobd::v1::AuthService::Stub>> stubs;
  for (const char* host : {"web", "web", "root", "kiosk"}) stubs.push_back(jobd::v1::AuthService::NewStub(Channel(ca_.Host(host))));
  for (size_t i = 0; i < kMany; ++i) {
    auto call = std::make_unique<Call>();
    // The hashes of half of them, one after the other on a busy machine.
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(10));
    call->reader = stubs[i % stubs.size()]->AsyncLogin(&call->context, As("nobody-" + std::to_string(i), "wrong password"), &queue);
    call->reader->Finish(&call->response, &call->status, call.get());
    calls.push_back(std::move(call));
  }
  const auto viewer = ChannelOf("viewer");
  std::map<grpc::StatusCode, size_t> codes;
  for (size_t i = 0; i < kMany; ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    ++codes[static_cast<Call*>(tag)->status.error_code()];
    if (i % 50 == 0) {
      EXPECT_TRUE(WhoAmI(viewer, {}).ok()) << "others go on";
    }
  }
  EXPECT_EQ(codes[grpc::StatusCode::UNAUTHENTICATED] + codes[grpc::StatusCode::RESOURCE_EXHAUSTED], kMany);
  EXPECT_GT(codes[grpc::StatusCode::UNAUTHENTICATED], 0u);
  // Four hashes, and what 500 calls of four connections take.
  EXPECT_LT(Peak() - before, (4 * 64 + 64) << 20);
}

TEST_F(ServiceLogin, AStreamEndsWithItsSessionWithinFiveSeconds) {
  jobd::v1::LoginResponse granted;
  const auto web = Channel(ca_.Host("web"));
  ASSERT_TRUE(Login(web, As("operator"), &granted).ok());
  Context watch;
  watch.AddMetadata("authorization", "Bearer " + granted.access_token());
  worker_.Submit({.owner = "operator"}, {.correlation_id = "mine"}, {{}}, [](const auto&) {});
  jobd::v1::StreamLogsRequest follow;
  follow.set_correlation_id("mine");
  follow.set_follow(true);
  const auto stub = jobd::v1::JobQueryService::NewStub(web);
  const auto reader = stub->StreamLogs(&watch, follow);
  worker_.log->Append("hello");
  jobd::v1::StreamLogsResponse page;
  ASSERT_TRUE(reader->Read(&page));
  Context logout;
  logout.AddMetadata("authorization", "Bearer " + granted.access_token());
  jobd::v1::LogoutResponse ended;
  ASSERT_TRUE(jobd::v1::AuthService::NewStub(web)->Logout(&logout, {}, &ended).ok());
  const auto begin = std::chrono::steady_clock::now();
  while (reader->Read(&page)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace jobd::server
