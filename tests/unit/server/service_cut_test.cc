// Connections that are cut at any step of any call: whatever a client does, the server goes on.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "tests/unit/server/cuts.h"
#include "tests/unit/server/relay.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using testing::Relay;
using testing::Rounds;

class ServiceCut : public testing::ServiceFixture {
 protected:
  static constexpr int kCalls = 120;

  // A client of `user` that reaches the service through the relay.
  std::shared_ptr<grpc::Channel> Through(const Relay& relay, const testing::Issued& client) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    return grpc::CreateCustomChannel(relay.address(), grpc::SslCredentials({ca_.pem(), client.key, client.cert}), arguments);
  }

  void Alive() {
    testing::Context context;
    jobd::v1::WhoAmIResponse response;
    const auto status = jobd::v1::AuthService::NewStub(ChannelOf("viewer"))->WhoAmI(&context, {}, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
};

// Waits for as many answers as were asked for.
void Drain(grpc::CompletionQueue& queue, int count) {
  void* tag = nullptr;
  bool ok = false;
  while (count-- > 0 && queue.Next(&tag, &ok)) {
  }
}

TEST_F(ServiceCut, FaultD1UploadsWithDataInFlightEndNothingWhenTheirConnectionIsCut) {
  const testing::Issued client = ca_.User("operator");
  jobd::v1::SubmitBatchRequest jobs;
  for (int i = 0; i < 10; ++i) jobs.add_jobs()->add_argv(std::string(100, 'x'));
  for (int round = 0; round < Rounds(25); ++round) {
    Relay relay(service_->address());
    const auto channel = Through(relay, client);
    const auto stub = jobd::v1::JobScheduleService::NewStub(channel);
    struct Call {
      grpc::ClientContext context;
      jobd::v1::SubmitBatchResponse response;
      std::unique_ptr<grpc::ClientAsyncWriter<jobd::v1::SubmitBatchRequest>> writer;
      grpc::Status status;
    };
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < kCalls; ++i) {
      auto call = std::make_unique<Call>();
      call->writer = stub->AsyncSubmitBatch(&call->context, &call->response, &queue, nullptr);
      calls.push_back(std::move(call));
    }
    Drain(queue, kCalls);
    for (const auto& call : calls) call->writer->Write(jobs, nullptr);
    Drain(queue, kCalls);
    // A third of them is at its end, a third has more on its way, a third is silent; and cut.
    int asked = 0;
    for (size_t i = 0; i < calls.size(); ++i) {
      if (i % 3 == 2) continue;
      ++asked;
      i % 3 == 0 ? calls[i]->writer->WritesDone(nullptr) : calls[i]->writer->Write(jobs, nullptr);
    }
    if (round % 2 == 0) Drain(queue, asked);
    relay.Cut();
    for (const auto& call : calls) call->writer->Finish(&call->status, nullptr);
    Drain(queue, kCalls + (round % 2 == 0 ? 0 : asked));
    if (round % 5 == 0) Alive();
  }
  Alive();
}

TEST_F(ServiceCut, FaultD1EveryKindOfCallCutAtEveryStep) {
  {
    testing::Context context;
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id("log");
    request.mutable_job()->add_argv("true");
    jobd::v1::ExecuteJobResponse response;
    ASSERT_TRUE(jobd::v1::JobScheduleService::NewStub(ChannelOf("operator"))->ExecuteJob(&context, request, &response).ok());
  }
  worker_.log->Append(std::string(4 << 20, 'x'));
  const testing::Issued client = ca_.User("operator");
  jobd::v1::StreamLogsRequest logs;
  logs.set_correlation_id("log");
  logs.set_follow(true);
  jobd::v1::ExecuteJobRequest execute;
  execute.mutable_job()->add_argv("true");
  execute.set_wait(true);
  const int rounds = Rounds(60);
  // The further the round of sixty, the more bytes have passed when the connection is cut: from within the handshake to the middle
  // of streams.
  for (int round = 0; round < rounds; ++round) {
    Relay relay(service_->address());
    const auto channel = Through(relay, client);
    const auto query = jobd::v1::JobQueryService::NewStub(channel);
    const auto schedule = jobd::v1::JobScheduleService::NewStub(channel);
    struct Follow {
      grpc::ClientContext context;
      std::unique_ptr<grpc::ClientAsyncReader<jobd::v1::StreamLogsResponse>> reader;
      jobd::v1::StreamLogsResponse page;
      grpc::Status status;
    };
    struct Execute {
      grpc::ClientContext context;
      jobd::v1::ExecuteJobResponse response;
      std::unique_ptr<grpc::ClientAsyncResponseReader<jobd::v1::ExecuteJobResponse>> reader;
      grpc::Status status;
    };
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<Follow>> follows;
    std::vector<std::unique_ptr<Execute>> executes;
    int asked = 0;
    for (int i = 0; i < 20; ++i) {
      auto follow = std::make_unique<Follow>();
      follow->reader = query->AsyncStreamLogs(&follow->context, logs, &queue, nullptr);
      ++asked;
      follows.push_back(std::move(follow));
      auto one = std::make_unique<Execute>();
      one->reader = schedule->AsyncExecuteJob(&one->context, execute, &queue);
      one->reader->Finish(&one->response, &one->status, nullptr);
      ++asked;
      executes.push_back(std::move(one));
    }
    if (round % 4 == 3) {
      // Until every stream is under way, and then some have been read from and some have not.
      Drain(queue, asked);
      asked = 0;
      for (size_t i = 0; i < follows.size(); i += 2) {
        follows[i]->reader->Read(&follows[i]->page, nullptr);
        ++asked;
      }
    } else {
      // The client moves on only while its queue is looked at.
      const auto enough = static_cast<size_t>(round % 60) * 120;
      while (asked > 0 && relay.passed() < enough) {
        void* tag = nullptr;
        bool ok = false;
        const auto soon = std::chrono::system_clock::now() + std::chrono::milliseconds(5);
        if (queue.AsyncNext(&tag, &ok, soon) == grpc::CompletionQueue::GOT_EVENT) --asked;
      }
    }
    relay.Cut();
    for (const auto& follow : follows) {
      follow->context.TryCancel();
      follow->reader->Finish(&follow->status, nullptr);
      ++asked;
    }
    for (const auto& one : executes) one->context.TryCancel();
    Drain(queue, asked);
    if (round % 10 == 0) Alive();
  }
  Alive();
  service_->Shutdown(2000);
  service_.reset();
  EXPECT_EQ(worker_.live_sessions(), 0);
}

}  // namespace
}  // namespace jobd::server
