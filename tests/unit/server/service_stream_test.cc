// Calls that last: submissions that arrive in pieces, followers that come and go.
#include <grpcpp/generic/generic_stub.h>
#include <malloc.h>

#include <thread>

#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "tests/unit/server/service_fixture.h"

namespace jobd::server {
namespace {

using testing::Context;

class ServiceStream : public testing::ServiceFixture {
 protected:
  void SetUp() override {
    ServiceFixture::SetUp();
    channel_ = ChannelOf("operator");
    schedule_ = jobd::v1::JobScheduleService::NewStub(channel_);
    query_ = jobd::v1::JobQueryService::NewStub(channel_);
  }

  void Execute(const std::string& id) {
    Context context;
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id(id);
    request.mutable_job()->add_argv("true");
    jobd::v1::ExecuteJobResponse response;
    const auto status = schedule_->ExecuteJob(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  static jobd::v1::SubmitBatchRequest Jobs(int count) {
    jobd::v1::SubmitBatchRequest request;
    for (int i = 0; i < count; ++i) request.add_jobs()->add_argv("true");
    return request;
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<jobd::v1::JobScheduleService::Stub> schedule_;
  std::unique_ptr<jobd::v1::JobQueryService::Stub> query_;
};

TEST_F(ServiceStream, ABatchThatWasCutOffIsNeverSubmitted) {
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    jobd::v1::SubmitBatchResponse response;
    const auto writer = schedule_->SubmitBatch(&context, &response);
    writer->Write(Jobs(10));
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  // A whole one behind them shows that they have been dealt with.
  Execute("after");
  EXPECT_EQ(worker_.submissions().size(), 1u);
}

TEST_F(ServiceStream, AnswersOfEveryKindCome) {
  Context context;
  jobd::v1::SubmitBatchResponse response;
  const auto writer = schedule_->SubmitBatch(&context, &response);
  auto first = Jobs(2);
  first.mutable_options()->set_correlation_id("pieces");
  writer->Write(first);
  writer->Write(Jobs(3));
  writer->WritesDone();
  const auto status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.correlation_id(), "pieces");
  EXPECT_EQ(response.job_count(), 5u);

  Context waiting;
  jobd::v1::ExecuteJobRequest request;
  request.mutable_job()->add_argv("true");
  request.set_wait(true);
  jobd::v1::ExecuteJobResponse executed;
  ASSERT_TRUE(schedule_->ExecuteJob(&waiting, request, &executed).ok());
  EXPECT_EQ(executed.result().state(), jobd::v1::JOB_STATE_SUCCEEDED);
}

// What gRPC leaves to us: it takes a call of one message for a stream.
TEST_F(ServiceStream, ACallWithoutItsMessageOrWithABadOneIsRefused) {
  for (const bool with_message : {false, true}) {
    Context context;
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto next = [&] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    const auto call = stub.PrepareCall(&context, "/jobd.v1.JobQueryService/GetBatch", &queue);
    call->StartCall(nullptr);
    ASSERT_TRUE(next());
    if (with_message) {
      const grpc::Slice bad("\xff\xff\xff");
      call->Write(grpc::ByteBuffer(&bad, 1), nullptr);
      next();
    }
    call->WritesDone(nullptr);
    next();
    grpc::Status status;
    call->Finish(&status, nullptr);
    ASSERT_TRUE(next());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << with_message;
    EXPECT_NE(status.error_message().find("well-formed"), std::string::npos) << status.error_message();
  }
}

TEST_F(ServiceStream, AConnectionThatIsLostSubmitsNothing) {
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    jobd::v1::SubmitBatchResponse response;
    auto channel = ChannelOf("operator");
    auto stub = jobd::v1::JobScheduleService::NewStub(channel);
    auto writer = stub->SubmitBatch(&context, &response);
    ASSERT_TRUE(writer->Write(Jobs(10)));
  }
  Execute("after");
  EXPECT_EQ(worker_.submissions().size(), 1u);
}

TEST_F(ServiceStream, InvalidUtf8InATextIsRefused) {
  Context context;
  jobd::v1::ExecuteJobRequest request;
  request.mutable_job()->add_argv("true");
  request.mutable_options()->set_name("\xff\xfe");
  jobd::v1::ExecuteJobResponse response;
  const auto status = schedule_->ExecuteJob(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("UTF-8"), std::string::npos) << status.error_message();
  EXPECT_TRUE(worker_.submissions().empty());
}

// For gRPC a message that does not parse ends the stream: what came before it must not pass for the whole batch.
TEST_F(ServiceStream, AMessageThatDoesNotParseRefusesTheWhole) {
  Context context;
  jobd::v1::SubmitBatchResponse response;
  const auto writer = schedule_->SubmitBatch(&context, &response);
  writer->Write(Jobs(2));
  auto bad = Jobs(1);
  bad.mutable_jobs(0)->set_name("\xff");
  writer->Write(bad);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(worker_.submissions().empty());
}

TEST_F(ServiceStream, AFollowerSeesEveryByteAndTheEnd) {
  Execute("log");
  Context context;
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("log");
  request.set_follow(true);
  const auto reader = query_->StreamLogs(&context, request);
  std::string written;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      const std::string part(static_cast<size_t>(i * 37), static_cast<char>('a' + i % 26));
      written += part;
      worker_.log->Append(part);
    }
    worker_.log->Finish();
  });
  std::string read;
  jobd::v1::StreamLogsResponse page;
  while (reader->Read(&page)) {
    for (const auto& chunk : page.chunks()) {
      EXPECT_EQ(chunk.offset(), read.size());
      read += chunk.data();
    }
  }
  writer.join();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(read, written);
}

TEST_F(ServiceStream, ALongLogThatIsReadAheadComesWholeAndInOrder) {
  Execute("log");
  std::string written;
  for (size_t i = 0; written.size() < (20u << 20); ++i) written += std::to_string(i) + "\n";
  worker_.log->Append(written);
  worker_.log->Finish();
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("log");
  for (const bool follow : {false, true}) {
    Context context;
    request.set_follow(follow);
    const auto reader = query_->StreamLogs(&context, request);
    std::string read;
    jobd::v1::StreamLogsResponse page;
    while (reader->Read(&page)) {
      for (const auto& chunk : page.chunks()) {
        ASSERT_EQ(chunk.offset(), read.size());
        read += chunk.data();
      }
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_TRUE(read == written) << read.size();
    EXPECT_EQ(page.cursor(), std::to_string(written.size()));
  }
}

TEST_F(ServiceStream, ARequestForLogsThatDoesNotParseIsRefused) {
  Context context;
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("\xff");
  const auto reader = query_->StreamLogs(&context, request);
  jobd::v1::StreamLogsResponse page;
  EXPECT_FALSE(reader->Read(&page));
  const auto status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("UTF-8"), std::string::npos) << status.error_message();
}

// Fields that the API does not know take eight times their bytes in memory, and a follower may stay for days.
TEST_F(ServiceStream, ACallThatLastsDoesNotKeepItsRequest) {
  constexpr int kFollowers = 16;
  constexpr int kFields = 500'000;
  constexpr size_t kBytes = kFields * sizeof(google::protobuf::UnknownField);
  Execute("log");
  worker_.log->Append("x");
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("log");
  request.set_follow(true);
  auto* const unknown = request.GetReflection()->MutableUnknownFields(&request);
  for (int i = 0; i < kFields; ++i) unknown->AddVarint(15, 0);
  const auto used = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const size_t before = used();
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<jobd::v1::StreamLogsResponse>>> readers;
  for (int i = 0; i < kFollowers; ++i) {
    contexts.push_back(std::make_unique<Context>());
    readers.push_back(query_->StreamLogs(contexts.back().get(), request));
    jobd::v1::StreamLogsResponse page;
    ASSERT_TRUE(readers.back()->Read(&page));
  }
  EXPECT_LT(used(), before + kFollowers * kBytes / 2);
  for (const auto& context : contexts) context->TryCancel();
}

TEST_F(ServiceStream, AFollowerThatLeavesFreesEverything) {
  Execute("log");
  for (int i = 0; i < 100; ++i) {
    Context context;
    jobd::v1::StreamLogsRequest request;
    request.set_correlation_id("log");
    request.set_follow(true);
    const auto reader = query_->StreamLogs(&context, request);
    if (i % 2 == 0) reader->WaitForInitialMetadata();
    context.TryCancel();
    (void)reader->Finish();
  }
  service_->Shutdown(2000);
  service_.reset();
  EXPECT_EQ(worker_.live_sessions(), 0);
}

TEST_F(ServiceStream, AStopTellsFollowers) {
  Execute("log");
  Context context;
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("log");
  request.set_follow(true);
  const auto reader = query_->StreamLogs(&context, request);
  worker_.log->Append("x");
  jobd::v1::StreamLogsResponse page;
  ASSERT_TRUE(reader->Read(&page));
  service_->Shutdown(3000);
  EXPECT_FALSE(reader->Read(&page));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceStream, OneUserHasSoManyCallsAndOthersTheirs) {
  {
    const std::lock_guard lock(mutex_);
    files_.config += "[limits]\nmax_streams_per_user = 3\n";
  }
  Execute("log");
  ASSERT_TRUE(service_->Reload(false).ok());
  worker_.log->Append("x");
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<jobd::v1::StreamLogsResponse>>> readers;
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("log");
  request.set_follow(true);
  jobd::v1::StreamLogsResponse page;
  while (readers.size() < 3) {
    auto context = std::make_unique<Context>();
    auto reader = query_->StreamLogs(context.get(), request);
    // The first call of this user is answered, and may still count for a moment.
    if (!reader->Read(&page)) {
      ASSERT_EQ(reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
      continue;
    }
    contexts.push_back(std::move(context));
    readers.push_back(std::move(reader));
  }
  Context fourth;
  const auto refused = query_->StreamLogs(&fourth, request);
  EXPECT_FALSE(refused->Read(&page));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Context other;
  jobd::v1::ListBatchesResponse batches;
  EXPECT_TRUE(jobd::v1::JobQueryService::NewStub(ChannelOf("operator2"))->ListBatches(&other, {}, &batches).ok());
  for (const auto& context : contexts) context->TryCancel();
}

}  // namespace
}  // namespace jobd::server
