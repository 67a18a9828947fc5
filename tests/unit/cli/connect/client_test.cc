// The client against a service in this process.
#include "cli/connect/client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>

#include "cli/connect/check/answer_check.h"
#include "cli/connect/reconnect.h"
#include "cli/verbs/await.h"
#include "cli/view/exit_code.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;

class FakeSchedule final : public v1::JobScheduleService::Service {
 public:
  grpc::Status SubmitBatch(grpc::ServerContext*, grpc::ServerReader<v1::SubmitBatchRequest>* reader,
                           v1::SubmitBatchResponse* response) override {
    v1::SubmitBatchRequest message;
    int messages = 0;
    while (reader->Read(&message)) {
      if (message.has_options()) response->set_correlation_id(message.options().correlation_id());
      response->set_job_count(response->job_count() + static_cast<uint32_t>(message.jobs_size()));
      if (messages++ > 0 && message.has_options()) return {grpc::StatusCode::INVALID_ARGUMENT, "options twice"};
    }
    if (++submissions < 3) return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    return grpc::Status::OK;
  }
  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest*, v1::CancelResponse*) override {
    google::rpc::BadRequest bad;
    for (int i = 0; i < 1000; ++i) {
      auto* violation = bad.add_field_violations();
      violation->set_field("jobs[" + std::to_string(i) + "].argv");
      violation->set_description("must not be \033[31mempty");
    }
    google::rpc::Status rich;
    rich.add_details()->PackFrom(bad);
    // Headers hold 8 KiB or so; a hostile server is bound by that, too.
    bad.mutable_field_violations()->DeleteSubrange(60, 940);
    rich.clear_details();
    rich.add_details()->PackFrom(bad);
    return {grpc::StatusCode::INVALID_ARGUMENT, "bad\033]0;x\007", rich.SerializeAsString()};
  }
  grpc::Status Signal(grpc::ServerContext*, const v1::SignalRequest*, v1::SignalResponse*) override {
    ++signals;
    return {grpc::StatusCode::UNAVAILABLE, "later"};
  }
  std::atomic<int> submissions = 0;
  std::atomic<int> signals = 0;
};

class FakeQuery final : public v1::JobQueryService::Service {
 public:
  // Ten lines, cut off after every third; the cursor is the next line's number.
  grpc::Status StreamLogs(grpc::ServerContext*, const v1::StreamLogsRequest* request,
                          grpc::ServerWriter<v1::StreamLogsResponse>* writer) override {
    int next = request->has_cursor() ? std::stoi(request->cursor()) : 0;
    for (int sent = 0; next < 10; ++next, ++sent) {
      if (sent == 3) return {grpc::StatusCode::UNAVAILABLE, "restarting"};
      v1::StreamLogsResponse message;
      message.add_chunks()->set_data(std::to_string(next) + "\n");
      message.set_cursor(std::to_string(next + 1));
      writer->Write(message);
    }
    v1::StreamLogsResponse end;
    end.add_ends()->set_index(1);
    writer->Write(end);
    return grpc::Status::OK;
  }
  grpc::Status WatchBatch(grpc::ServerContext* context, const v1::WatchBatchRequest* request,
                          grpc::ServerWriter<v1::WatchBatchResponse>* writer) override {
    writer->Write(v1::WatchBatchResponse());
    if (request->correlation_id() == "endless") {
      ++endless;
      while (!context->IsCancelled()) std::this_thread::yield();
      return grpc::Status::CANCELLED;
    }
    if (request->correlation_id() == "gone" || request->correlation_id() == "ended") {
      while (endless < others && !context->IsCancelled()) std::this_thread::yield();
      if (request->correlation_id() == "ended") return grpc::Status::OK;
      return {grpc::StatusCode::NOT_FOUND, "no such batch"};
    }
    if (++watches < 2) return {grpc::StatusCode::UNAVAILABLE, "restarting"};
    return grpc::Status::OK;
  }
  grpc::Status GetBatch(grpc::ServerContext*, const v1::GetBatchRequest* request, v1::GetBatchResponse* response) override {
    const bool second = !request->page_token().empty();
    v1::JobStatus* job = response->add_jobs();
    job->set_index(second ? 2 : 1);
    job->mutable_result()->set_state(v1::JOB_STATE_FAILED);
    job->mutable_result()->set_exit_code(second ? 7 : 3);
    if (!second) response->set_next_page_token("more");
    return grpc::Status::OK;
  }
  // What no service of ours says: pages without end, IDs with escape sequences.
  grpc::Status ListBatches(grpc::ServerContext*, const v1::ListBatchesRequest* request,
                           v1::ListBatchesResponse* response) override {
    response->add_batches()->set_correlation_id(request->owner() == "evil" ? "\033]0;x\007" : "a");
    response->set_next_page_token("again");
    return grpc::Status::OK;
  }
  std::atomic<int> watches = 0;
  std::atomic<int> endless = 0;  // streams that do not end by themselves
  int others = 0;                // so many of those must run before "ended" or "gone" ends
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&schedule_);
    builder.RegisterService(&query_);
    server_ = builder.BuildAndStart();
    client_ = Client::FromChannel(grpc::CreateChannel("127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials()),
                                  Connection());
  }
  ~ClientTest() override { server_->Shutdown(); }

  FakeSchedule schedule_;
  FakeQuery query_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, TheServersTextsAreEscapedAndBounded) {
  v1::CancelResponse response;
  const auto status = client_->Cancel(v1::CancelRequest(), &response);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "bad\\x1b]0;x\\x07");
  EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument) << "wrong usage, whoever finds it";
  ASSERT_EQ(status.error().violations().size(), 50u);
  EXPECT_EQ(status.error().violations()[1], (base::FieldViolation{"jobs[1].argv", "must not be \\x1b[31mempty"}));
}

TEST_F(ClientTest, ATextThatIsNoUtf8IsRefusedHereAndTheFieldNamed) {
  v1::BatchOptions options;
  options.set_name("\xff");
  v1::SubmitBatchResponse response;
  JobDraft job;
  job.argv = {"\xff"};  // bytes
  auto status = client_->SubmitBatch(options, {job}, &response);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(status.error().message(), "name: is not UTF-8");
  JobDraft bad = job;
  ASSERT_TRUE(bad.fields.Set(*FindField(JobFields(), "profile"), "\xc3(").ok());
  status = client_->SubmitBatch(v1::BatchOptions(), {job, bad}, &response);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "job 2: profile: is not UTF-8");
  v1::BatchOptions labelled;
  (*labelled.mutable_labels())["key"] = "\xff";
  status = client_->SubmitBatch(labelled, {job}, &response);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "labels[0].value: is not UTF-8");
  v1::CancelRequest cancel;
  cancel.set_reason("\xff");
  v1::CancelResponse cancelled;
  EXPECT_EQ(client_->Cancel(cancel, &cancelled).error().message(), "reason: is not UTF-8");
  EXPECT_EQ(schedule_.submissions, 0);
}

TEST_F(ClientTest, WhatCannotBeRepeatedIsNot) {
  v1::SignalResponse response;
  EXPECT_FALSE(client_->Signal(v1::SignalRequest(), &response).ok());
  EXPECT_EQ(schedule_.signals, 1);
}

TEST_F(ClientTest, AnAnswerThatItIsUnavailableIsNotAskedForTooLong) {
  schedule_.submissions = -1'000'000;
  v1::SubmitBatchResponse response;
  JobDraft job;
  job.argv = {"x"};
  const base::SystemClock clock;
  const base::Nanos begun = clock.Monotonic();
  EXPECT_FALSE(client_->SubmitBatch(v1::BatchOptions(), {job}, &response).ok());
  EXPECT_LT(clock.Monotonic() - begun, 6 * base::kNanosPerSecond) << "connect_timeout is for a service that is not there";
}

TEST_F(ClientTest, ASubmissionIsRepeatedUntilItIsAnswered) {
  JobDraft job;
  job.argv = {std::string(1000, 'x')};
  v1::BatchOptions options;
  options.set_correlation_id("id");
  v1::SubmitBatchResponse response;
  const auto status = client_->SubmitBatch(options, std::vector<JobDraft>(2000, job), &response);
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(schedule_.submissions, 3);
  EXPECT_EQ(response.job_count(), 2000u);
  EXPECT_EQ(response.correlation_id(), "id");
}

TEST_F(ClientTest, ACutFollowGoesOnWithoutGapOrRepeat) {
  std::string log;
  int ends = 0;
  std::vector<std::string> said;
  Canceller never;
  const auto status = ReadLogs(
      *client_, v1::StreamLogsRequest(),
      [&](const v1::StreamLogsResponse& message) {
        for (const auto& chunk : message.chunks()) log += chunk.data();
        ends += message.ends_size();
        return true;
      },
      [&](const std::string& text) { said.push_back(text); }, &never);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(log, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  EXPECT_EQ(ends, 1);
  ASSERT_FALSE(said.empty());
  EXPECT_THAT(said[0], HasSubstr("lost the link"));
}

TEST_F(ClientTest, WaitGivesTheLargestCodeOfAllPages) {
  Canceller never;
  const auto code = AwaitEnd(*client_, {"id", std::nullopt, ""}, {}, &never);
  ASSERT_TRUE(code.ok()) << code.error().message();
  EXPECT_EQ(code->exit_code, 7);
  EXPECT_EQ(query_.watches, 2);
}

TEST_F(ClientTest, WaitTimesOutAndCanBeCancelled) {
  Canceller never;
  AwaitOptions options;
  options.timeout = 10 * base::kNanosPerMilli;
  const auto code = AwaitEnd(*client_, {"endless", std::nullopt, ""}, options, &never);
  ASSERT_FALSE(code.ok());
  EXPECT_EQ(code.error().code(), base::Code::kDeadlineExceeded);

  Canceller canceller;
  AwaitOptions until_first;
  until_first.on_update = [&](const v1::Batch&) { canceller.Cancel(); };
  const auto cancelled = AwaitEnd(*client_, {"endless", std::nullopt, ""}, until_first, &canceller);
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code(), base::Code::kCancelled);
}

// With several streams only the one begun last was ended, and `wait --any A B` waited for both.
TEST_F(ClientTest, FaultA5WaitForAnyReturnsAtTheFirst) {
  const JobRef endless{"endless", std::nullopt, ""};
  const JobRef quick{"ended", std::nullopt, ""};
  query_.others = 2;
  for (const std::vector<JobRef>& refs :
       std::vector<std::vector<JobRef>>{{quick, endless, endless}, {endless, endless, quick}, {endless, quick, endless}}) {
    query_.endless = 0;
    Canceller canceller;
    const auto ended = AwaitEnds(*client_, refs, AwaitWhich::kAny, {}, &canceller);
    ASSERT_TRUE(ended.ok()) << ended.error().message();
    ASSERT_EQ(ended->size(), 1u);
    EXPECT_EQ(ended->at(0).exit_code, 7);
    EXPECT_EQ(ended->at(0).ref, (JobRef{"ended", std::nullopt, ""}));
  }
  query_.endless = 0;
  query_.others = 1;
  Canceller canceller;
  const auto job = AwaitEnds(*client_, {endless, {"ended", 1, ""}}, AwaitWhich::kAny, {}, &canceller);
  ASSERT_TRUE(job.ok()) << job.error().message();
  EXPECT_EQ(job->at(0).exit_code, 3) << "that of the job, not of its batch";
}

TEST_F(ClientTest, FaultA5AnErrorOfOneOfSeveralIsTheAnswerAtOnce) {
  const JobRef endless{"endless", std::nullopt, ""};
  const JobRef gone{"gone", std::nullopt, ""};
  query_.others = 2;
  for (const AwaitWhich which : {AwaitWhich::kAll, AwaitWhich::kAny}) {
    for (const std::vector<JobRef>& refs : std::vector<std::vector<JobRef>>{{gone, endless, endless}, {endless, endless, gone}}) {
      query_.endless = 0;
      Canceller canceller;
      const auto code = AwaitEnds(*client_, refs, which, {}, &canceller);
      ASSERT_FALSE(code.ok());
      EXPECT_EQ(code.error().code(), base::Code::kNotFound);
    }
  }
}

TEST_F(ClientTest, FaultA5SeveralTimeOutTogether) {
  AwaitOptions options;
  options.timeout = 10 * base::kNanosPerMilli;
  const JobRef endless{"endless", std::nullopt, ""};
  for (const AwaitWhich which : {AwaitWhich::kAll, AwaitWhich::kAny}) {
    Canceller canceller;
    const auto code = AwaitEnds(*client_, {endless, endless, endless}, which, options, &canceller);
    ASSERT_FALSE(code.ok());
    EXPECT_EQ(code.error().code(), base::Code::kDeadlineExceeded);
  }
}

TEST_F(ClientTest, FaultD21AnIdWithEscapeSequencesIsNoAnswer) {
  v1::ListBatchesRequest request;
  v1::ListBatchesResponse response;
  EXPECT_TRUE(client_->ListBatches(request, &response).ok());
  request.set_owner("evil");
  const auto refused = client_->ListBatches(request, &response);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kDataLoss);
  EXPECT_THAT(refused.error().message(), HasSubstr("\\x1b]0;x"));
}

v1::JobResult EndedAs(v1::JobState state, std::optional<int> exit_code, std::optional<int> signal) {
  v1::JobResult result;
  result.set_state(state);
  if (exit_code) result.set_exit_code(*exit_code);
  if (signal) result.set_signal(*signal);
  return result;
}

TEST(AnswerCheckTest, FaultD21AnEndThatCannotBe) {
  const std::vector<v1::JobResult> bad{
      EndedAs(v1::JOB_STATE_FAILED, 256, {}),  EndedAs(v1::JOB_STATE_FAILED, -256, {}),  EndedAs(v1::JOB_STATE_FAILED, {}, 128),
      EndedAs(v1::JOB_STATE_FAILED, {}, 0),    EndedAs(v1::JOB_STATE_FAILED, {}, -1),    EndedAs(v1::JOB_STATE_SUCCEEDED, 256, {}),
      EndedAs(v1::JOB_STATE_SUCCEEDED, 3, {}), EndedAs(v1::JOB_STATE_SUCCEEDED, {}, {}), EndedAs(v1::JOB_STATE_FAILED, 1, 9)};
  for (const v1::JobResult& result : bad) {
    v1::StreamLogsResponse message;
    *message.add_ends()->mutable_result() = result;
    EXPECT_FALSE(CheckAnswer(message).ok()) << result.DebugString();
    if (!(result.has_signal() && result.has_exit_code())) {
      EXPECT_EQ(ExitCodeOf(result), 125) << result.DebugString();
    }
  }
  v1::StreamLogsResponse good;
  *good.add_ends()->mutable_result() = EndedAs(v1::JOB_STATE_SUCCEEDED, 0, {});
  *good.add_ends()->mutable_result() = EndedAs(v1::JOB_STATE_FAILED, 255, {});
  *good.add_ends()->mutable_result() = EndedAs(v1::JOB_STATE_CANCELLED, {}, 64);
  good.add_ends()->set_index(1'000'000);
  EXPECT_TRUE(CheckAnswer(good).ok());
  good.add_chunks()->set_index(1'000'001);
  EXPECT_FALSE(CheckAnswer(good).ok()) << "printed, each such job would cost memory";
}

TEST(AnswerCheckTest, FaultD21PagesEnd) {
  PageGuard pages(100);
  EXPECT_TRUE(pages.Add(50, 1, "a").ok());
  EXPECT_FALSE(pages.Add(1, 1, "a").ok()) << "it leads to itself";
  EXPECT_FALSE(PageGuard(100).Add(0, 1, "a").ok()) << "nothing, and more of it";
  PageGuard more(100);
  EXPECT_TRUE(more.Add(100, 1, "a").ok());
  EXPECT_FALSE(more.Add(1, 1, "b").ok());
  PageGuard large(100);
  EXPECT_FALSE(large.Add(1, size_t{2} << 30, "").ok());
  EXPECT_TRUE(PageGuard(100).Add(0, 0, "").ok());
}

}  // namespace
}  // namespace jobd::cli
