// Answers that say nothing: no success.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/log_follower.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;

// Answers as it is told.
class FakeSchedule final : public v1::JobScheduleService::Service {
 public:
  grpc::Status SubmitBatch(grpc::ServerContext*, grpc::ServerReader<v1::SubmitBatchRequest>* reader,
                           v1::SubmitBatchResponse* response) override {
    v1::SubmitBatchRequest message;
    while (reader->Read(&message)) {
    }
    *response = submitted;
    return grpc::Status::OK;
  }
  grpc::Status ExecuteJob(grpc::ServerContext*, const v1::ExecuteJobRequest*, v1::ExecuteJobResponse* response) override {
    response->set_correlation_id(submitted.correlation_id());
    return grpc::Status::OK;
  }
  v1::SubmitBatchResponse submitted;
};

class FakeQuery final : public v1::JobQueryService::Service {
 public:
  grpc::Status StreamLogs(grpc::ServerContext*, const v1::StreamLogsRequest*,
                          grpc::ServerWriter<v1::StreamLogsResponse>* writer) override {
    if (!ends.empty()) {
      v1::StreamLogsResponse message;
      for (const uint32_t index : ends) {
        v1::LogEnd* const end = message.add_ends();
        end->set_index(index);
        end->mutable_result()->set_state(v1::JOB_STATE_SUCCEEDED);
        end->mutable_result()->set_exit_code(0);
      }
      writer->Write(message);
    }
    return grpc::Status::OK;
  }
  std::vector<uint32_t> ends;
};

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&schedule_);
    builder.RegisterService(&query_);
    server_ = builder.BuildAndStart();
    client_ = Client::FromChannel(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()),
                                  Connection());
  }
  ~AnswersTest() override { server_->Shutdown(); }

  base::Status Submit(const std::string& id, size_t jobs) {
    v1::BatchOptions options;
    options.set_correlation_id(id);
    JobDraft job;
    job.argv = {"true"};
    v1::SubmitBatchResponse response;
    return client_->SubmitBatch(options, std::vector<JobDraft>(jobs, job), &response);
  }
  base::Result<int> Follow(uint32_t jobs, std::vector<uint32_t> ends) {
    query_.ends = std::move(ends);
    GlobalOptions options;
    options.quiet = true;
    Session session(options, OutputFormat::kTable, [](const char*) { return std::nullopt; });
    LogRequest request;
    request.ref = {"a", std::nullopt, ""};
    request.follow = true;
    request.jobs = jobs;
    Canceller canceller;
    return FollowLogs(session, *client_, request, &canceller);
  }

  FakeSchedule schedule_;
  FakeQuery query_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

// `id=$(jobctl submit …)` was empty, with exit 0.
TEST_F(AnswersTest, FaultD21ASubmissionWhoseAnswerNamesNoBatchIsAnError) {
  EXPECT_THAT(Submit("a", 2).error().message(), HasSubstr("names no batch"));
  v1::ExecuteJobRequest request;
  request.mutable_options()->set_correlation_id("a");
  v1::ExecuteJobResponse response;
  EXPECT_EQ(client_->ExecuteJob(request, &response).error().code(), base::Code::kDataLoss);
  schedule_.submitted.set_correlation_id("b");
  schedule_.submitted.set_job_count(2);
  EXPECT_THAT(Submit("a", 2).error().message(), HasSubstr("of batch b, not of a"));
  EXPECT_FALSE(client_->ExecuteJob(request, &response).ok());
  schedule_.submitted.set_correlation_id("a");
  EXPECT_TRUE(Submit("a", 2).ok());
  EXPECT_TRUE(Submit("", 2).ok());
  EXPECT_TRUE(client_->ExecuteJob(request, &response).ok());
  EXPECT_THAT(Submit("a", 3).error().message(), HasSubstr("of 3 jobs 2 were accepted"));
}

TEST_F(AnswersTest, FaultD21AFollowerThatSawNotAllEndsSawNoSuccess) {
  EXPECT_EQ(*Follow(2, {1, 2}), 0);
  const auto none = Follow(1, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), base::Code::kDataLoss);
  EXPECT_THAT(none.error().message(), HasSubstr("how the job ended: jobctl wait a"));
  EXPECT_THAT(Follow(3, {1}).error().message(), HasSubstr("how 2 of the jobs ended"));
  EXPECT_FALSE(Follow(2, {2, 2}).ok()) << "one end, told twice";
  EXPECT_EQ(*Follow(0, {}), 0) << "where a cursor leaves ends out";
}

}  // namespace
}  // namespace jobd::cli
