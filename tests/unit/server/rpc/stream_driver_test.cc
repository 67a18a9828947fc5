// How a lasting call moves on, with a client that the test makes fast, slow or gone.
#include "server/rpc/stream_driver.h"

#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

class StreamDriverTest : public testing::ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id("log");
    request.mutable_job()->add_argv("true");
    ASSERT_FALSE(operator_.Call(request)->End());
    follow_.set_correlation_id("log");
    follow_.set_follow(true);
  }

  testing::FakeClient operator_ = Client("operator");
  jobd::v1::StreamLogsRequest follow_;
};

TEST_F(StreamDriverTest, WaitsAndGoesOnWhenThereIsMore) {
  auto call = operator_.Call(follow_);
  for (size_t i = 0; i < 20; ++i) {
    worker_.log->Append("x");
    ASSERT_TRUE(call->Received(i + 1));
    EXPECT_EQ(call->Message<jobd::v1::StreamLogsResponse>(i).chunks(0).offset(), i);
  }
  worker_.log->Finish();
  EXPECT_FALSE(call->End());
}

TEST_F(StreamDriverTest, ASlowClientHasOneMessageAndNoMore) {
  auto call = operator_.Call(follow_);
  call->BeSlow();
  worker_.log->Append(std::string(8 << 20, 'x'));
  ASSERT_TRUE(call->Received(1));
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(call->received(), i) << "the next one waits for the client";
    call->TakeOne();
    ASSERT_TRUE(call->Received(i + 1));
  }
  call->Leave();
  EXPECT_FALSE(call->ended()) << "a message is with the transport";
  call->TakeOne();
  EXPECT_EQ(call->End()->code, base::Code::kCancelled);
}

TEST_F(StreamDriverTest, AClientThatDoesNotReadIsCutOff) {
  auto call = operator_.Call(follow_);
  call->BeSlow();
  worker_.log->Append("x");
  ASSERT_TRUE(call->Received(1));
  streams_.EndAll(base::Error(base::Code::kUnavailable, "the service is stopping"));
  // The registry's thread comes by and does not wait for the client.
  EXPECT_EQ(call->End()->code, base::Code::kUnavailable);
  EXPECT_TRUE(call->cancelled());
}

TEST_F(StreamDriverTest, EndsWithTheCallersRight) {
  auto call = operator_.Call(follow_);
  worker_.log->Append("x");
  ASSERT_TRUE(call->Received(1));
  files_.users =
      "[[user]]\nname = \"admin\"\nrole = \"admin\"\n[[user]]\nname = \"operator\"\nrole = \"operator\"\ndisabled = true\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  streams_.RecheckAll();
  EXPECT_EQ(call->End()->code, base::Code::kUnauthenticated);
}

TEST_F(StreamDriverTest, GivesItsQuotaBackAtItsEnd) {
  limits_.SetMax(1);
  auto call = operator_.Call(follow_);
  EXPECT_EQ(operator_.Call(follow_)->End()->code, base::Code::kResourceExhausted);
  call->Leave();
  EXPECT_EQ(call->End()->code, base::Code::kCancelled);
  EXPECT_EQ(limits_.InProgress("operator"), 0u);
}

TEST_F(StreamDriverTest, AnswersThatNobodyTakesCount) {
  const auto acquire = [&] { return limits_.Acquire("operator"); };
  constexpr uint64_t kAnswer = 4 << 20;
  std::vector<CallLimits::Token> answers;
  for (uint64_t bytes = 0; bytes < CallLimits::kMaxUntakenBytes; bytes += kAnswer) {
    auto token = acquire();
    if (!token.ok()) break;
    answers.push_back(*std::move(token));
    answers.back().Answered(kAnswer);
  }
  EXPECT_EQ(limits_.InProgress("operator"), 0u) << "their calls are answered";
  EXPECT_GE(answers.size(), 15u);
  EXPECT_EQ(acquire().error().code(), base::Code::kResourceExhausted);
  EXPECT_TRUE(limits_.Acquire("operator2").ok()) << "each user has their own";
  answers.pop_back();
  answers.pop_back();
  EXPECT_TRUE(acquire().ok()) << "some were taken";
  answers.clear();
  EXPECT_EQ(limits_.InProgress("operator"), 0u);
}

}  // namespace
}  // namespace jobd::server
