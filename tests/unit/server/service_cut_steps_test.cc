// Every kind of call, cut in every way at every step: whatever a client does, the server goes on and keeps nothing of it.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "tests/support/h2/raw_h2.h"
#include "tests/unit/server/cuts.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using test::RawH2;
using testing::Cuts;

// As far as a call gets before it is cut.
enum class Step { kHeaders, kFewBytes, kHalf, kWhole, kEnded, kAnswered, kCount };
enum class Way { kReset, kFin, kStreams, kGoAway, kCount };

class ServiceCutSteps : public testing::ServiceFixture {
 protected:
  static constexpr size_t kStreams = 8;  // of a connection
  struct Kind {
    const char* path;
    std::string request;
  };

  void SetUp() override {
    ServiceFixture::SetUp();
    other_ = ChannelOf("operator2");
    testing::Context context;
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id("log");
    request.mutable_job()->add_argv("true");
    jobd::v1::ExecuteJobResponse response;
    ASSERT_TRUE(jobd::v1::JobScheduleService::NewStub(other_)->ExecuteJob(&context, request, &response).ok());
    worker_.log->Append(std::string(256 << 10, 'x'));
    jobd::v1::StreamLogsRequest logs;
    logs.set_owner("operator2");
    logs.set_correlation_id("log");
    logs.set_follow(true);
    jobd::v1::SubmitBatchRequest jobs;
    for (int i = 0; i < 10; ++i) jobs.add_jobs()->add_argv(std::string(100, 'x'));
    request.mutable_options()->set_correlation_id("");
    request.set_wait(true);
    kinds_ = {{"/jobd.v1.AuthService/WhoAmI", ""},
              {"/jobd.v1.JobScheduleService/ExecuteJob", request.SerializeAsString()},
              {"/jobd.v1.JobScheduleService/SubmitBatch", jobs.SerializeAsString()},
              {"/jobd.v1.JobQueryService/StreamLogs", logs.SerializeAsString()},
              {"/grpc.health.v1.Health/Watch", ""},
              {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*"},
              {"/no.such.Service/Method", ""}};
  }

  bool Alive() const {
    testing::Context context;
    jobd::v1::WhoAmIResponse response;
    return jobd::v1::AuthService::NewStub(other_)->WhoAmI(&context, {}, &response).ok();
  }
  static size_t Descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
  }

  void CutOne(const testing::Issued& client, const Kind& kind, Step step, Way way) const {
    const auto raw = RawH2::Connect(service_->address(), {client.cert, client.key});
    ASSERT_NE(raw, nullptr);
    std::vector<uint32_t> streams;
    for (size_t i = 0; i < kStreams; ++i) {
      streams.push_back(raw->Headers(kind.path));
      if (step == Step::kFewBytes) raw->Message(streams.back(), kind.request, false, 3);
      if (step == Step::kHalf) raw->Message(streams.back(), kind.request, false, 5 + kind.request.size() / 2);
      if (step >= Step::kWhole) raw->Message(streams.back(), kind.request, step >= Step::kEnded);
    }
    ASSERT_TRUE(raw->Flush());
    // What lasts without an answer is cut without one.
    if (step == Step::kAnswered) raw->ReadUntil([&] { return raw->frames_of(streams.front()) > 0; }, 100);
    switch (way) {
      case Way::kReset: raw->Cut(); break;
      case Way::kFin: raw->Fin(); break;
      case Way::kStreams:
        for (const uint32_t stream : streams) raw->Reset(stream);
        raw->Flush();
        break;
      default:
        raw->GoAway();
        raw->Flush();
        break;
    }
  }

  std::vector<Kind> kinds_;
  std::shared_ptr<grpc::Channel> other_;
};

TEST_F(ServiceCutSteps, FaultD1EveryKindOfStreamCutAtEveryStepInEveryWay) {
  const testing::Issued client = ca_.User("admin");
  ASSERT_TRUE(Alive());
  const size_t descriptors = Descriptors();
  size_t cut = 0;
  while (cut < Cuts()) {
    for (int way = 0; way < static_cast<int>(Way::kCount); ++way) {
      for (int step = 0; step < static_cast<int>(Step::kCount); ++step) {
        for (const Kind& kind : kinds_) {
          CutOne(client, kind, static_cast<Step>(step), static_cast<Way>(way));
          cut += kStreams;
        }
        ASSERT_TRUE(Alive()) << "after " << cut;
      }
    }
  }
  // Each call takes a moment, and in that time the others come to their end.
  for (int i = 0; i < 20'000 && (Descriptors() > descriptors || worker_.live_sessions() > 0); ++i) ASSERT_TRUE(Alive());
  EXPECT_LE(Descriptors(), descriptors);
  EXPECT_EQ(worker_.live_sessions(), 0);
  EXPECT_NE(metrics_->Text({}).find("jobd_calls_refused_total"), std::string::npos);
  std::printf("%zu streams were cut\n", cut);
}

}  // namespace
}  // namespace jobd::server
