// What one client may hold and take back: whatever it does with its streams, others are served.
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "tests/support/h2/raw_h2.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using test::RawH2;

constexpr const char* kWhoAmI = "/jobd.v1.AuthService/WhoAmI";
constexpr const char* kSubmit = "/jobd.v1.JobScheduleService/SubmitBatch";
constexpr const char* kWatch = "/grpc.health.v1.Health/Watch";
constexpr const char* kReflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
constexpr size_t kMaxStreams = 256;  // the default of limits.max_streams_per_user

class ServiceGuard : public testing::ServiceFixture {
 protected:
  std::unique_ptr<RawH2> Raw(const testing::Issued& client) const {
    return RawH2::Connect(service_->address(), {client.cert, client.key});
  }
  std::unique_ptr<RawH2> Raw(const std::string& user) { return Raw(ca_.User(user)); }

  static grpc::Status WhoAmI(const std::shared_ptr<grpc::Channel>& channel) {
    testing::Context context;
    jobd::v1::WhoAmIResponse response;
    return jobd::v1::AuthService::NewStub(channel)->WhoAmI(&context, {}, &response);
  }
  // Ends the call with one message of these bytes.
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& path, const std::string& bytes) {
    grpc::GenericStub stub(channel);
    testing::Context context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, path, &queue);
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer answer;
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    queue.Next(&tag, &ok);
    call->WriteLast(request, {}, nullptr);
    queue.Next(&tag, &ok);
    call->Read(&answer, nullptr);
    queue.Next(&tag, &ok);
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return status;
  }
  void Reload(const std::string& users) {
    {
      const std::lock_guard lock(mutex_);
      files_.users = users;
    }
    const auto report = service_->Reload(false);
    ASSERT_TRUE(report.ok()) << report.error().message();
  }
};

TEST_F(ServiceGuard, FaultD2RapidResetsEndTheirConnectionAndNoOther) {
  const auto other = ChannelOf("operator");
  ASSERT_TRUE(WhoAmI(other).ok());
  for (const char* path : {kWhoAmI, kSubmit, kWatch, kReflection, "/no.such.Service/Method", "/jobd.v1.AdminService/Stop"}) {
    const auto raw = Raw("viewer");
    ASSERT_NE(raw, nullptr);
    for (int i = 0; i < 20'000 && !raw->over(); ++i) {
      raw->Reset(raw->Headers(path));
      if (i % 500 == 499) raw->Flush();
    }
    EXPECT_TRUE(raw->ReadUntil([] { return false; })) << path;
    EXPECT_TRUE(raw->over()) << path;
    EXPECT_TRUE(WhoAmI(other).ok());
  }
}

TEST_F(ServiceGuard, FaultD2CallsWithoutAnEndAreRefusedAndNotKept) {
  const auto other = ChannelOf("operator");
  const auto raw = Raw("viewer");
  ASSERT_NE(raw, nullptr);
  // It has never acknowledged the SETTINGS that say how many it may have, and reads nothing.
  for (int i = 0; i < 20'000 && !raw->over(); ++i) {
    (void)raw->Headers(kWatch);
    if (i % 500 == 499 && !raw->Flush(2000)) break;
  }
  EXPECT_TRUE(WhoAmI(other).ok());
}

TEST_F(ServiceGuard, ACallThatIsTakenBackNowAndThenEndsNothing) {
  const auto raw = Raw("viewer");
  ASSERT_NE(raw, nullptr);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 100; ++i) raw->Reset(raw->Headers(kWatch));
    const uint32_t last = raw->Headers(kWhoAmI);
    raw->Message(last, "", true);
    ASSERT_TRUE(raw->Flush());
    EXPECT_TRUE(raw->ReadUntil([&] { return raw->ended(last); }));
    // Headers, the message, and the end.
    EXPECT_GE(raw->frames_of(last), 3u);
    EXPECT_FALSE(raw->over());
  }
}

TEST_F(ServiceGuard, FaultD3HealthAndReflectionStreamsCountAndEndWithTheirUsersRight) {
  const auto watching = Raw("viewer");
  ASSERT_NE(watching, nullptr);
  std::vector<uint32_t> streams;
  for (size_t i = 0; i < kMaxStreams; ++i) {
    streams.push_back(watching->Headers(i % 2 == 0 ? kWatch : kReflection));
    if (i % 4 != 3) watching->Message(streams.back(), i % 2 == 0 ? "" : "\x3a\x01*");  // list_services; a quarter is silent
  }
  ASSERT_TRUE(watching->Flush());
  ASSERT_TRUE(watching->ReadUntil([&] {
    for (size_t i = 0; i < streams.size(); ++i) {
      if (i % 4 != 3 && watching->frames_of(streams[i]) < 2) return false;
    }
    return true;
  })) << "each answers";
  ASSERT_FALSE(watching->over());
  EXPECT_EQ(watching->ended_streams(), 0u);
  EXPECT_EQ(WhoAmI(ChannelOf("viewer")).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(WhoAmI(ChannelOf("operator")).ok());
  EXPECT_TRUE(Call(ChannelOf("operator"), kReflection, "\x3a\x01*").ok());

  std::string users = testing::kUsers;
  users += "disabled = true\n";  // of the viewer, who is the last
  Reload(users);
  EXPECT_TRUE(watching->ReadUntil([&] { return watching->ended_streams() == streams.size(); }));
  EXPECT_EQ(watching->ended_streams(), streams.size()) << "those that never said anything too";
}

TEST_F(ServiceGuard, FaultD5WhatARequestWouldTakeInMemoryIsBoundedBeforeItIsMade) {
  const auto channel = ChannelOf("operator");
  std::string empty_jobs;
  while (empty_jobs.size() < (4u << 20) - 64) empty_jobs += std::string("\x12\x00", 2);
  EXPECT_EQ(Call(channel, kSubmit, empty_jobs).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  // Fields that nobody knows are kept, each as an object.
  std::string unknown;
  while (unknown.size() < (4u << 20) - 64) unknown += std::string("\xfa\x7f\x00", 3);
  EXPECT_EQ(Call(channel, kWhoAmI, unknown).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Call(channel, kReflection, unknown).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(WhoAmI(channel).ok());
}

TEST_F(ServiceGuard, ACallWithoutARequestIsToldSoAndOneWithoutAClientIsCancelled) {
  const auto refusals = [&](const std::string& code) { return metrics_->Text({}).find("\"" + code + "\"") != std::string::npos; };
  {
    const auto raw = Raw("viewer");
    ASSERT_NE(raw, nullptr);
    (void)raw->Headers(kWhoAmI);
    ASSERT_TRUE(raw->Flush());
    raw->Cut();
  }
  const auto other = ChannelOf("operator");
  for (int i = 0; i < 20'000 && !refusals("cancelled"); ++i) ASSERT_TRUE(WhoAmI(other).ok());
  EXPECT_TRUE(refusals("cancelled")) << metrics_->Text({});
  EXPECT_FALSE(refusals("invalid_argument"));
  const auto raw = Raw("viewer");
  ASSERT_NE(raw, nullptr);
  const uint32_t empty = raw->Headers(kWhoAmI, true);
  ASSERT_TRUE(raw->Flush());
  EXPECT_TRUE(raw->ReadUntil([&] { return raw->ended_streams() == 1; })) << empty;
  EXPECT_TRUE(refusals("invalid_argument")) << metrics_->Text({});
}

}  // namespace
}  // namespace jobd::server
