// Addresses, why jobs wait, and what was asked for, as clients are told.
#include <set>
#include <thread>

#include "server/api/handlers.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

using testing::FakeClient;

class QueryTest : public testing::ApiFixture {
 protected:
  void SetUp() override {
    testing::ApiFixture::SetUp();
    for (const char* id : {"first", "mine"}) {
      jobd::v1::ExecuteJobRequest request;
      request.mutable_options()->set_correlation_id(id);
      request.mutable_job()->add_argv("true");
      ASSERT_FALSE(operator_.Call(request)->End());
    }
  }
  // The refusal; empty: none.
  template <typename Request>
  std::string Refusal(FakeClient& client, const Request& request) {
    const CallEnd end = client.Call(request)->End();
    return end ? std::string(base::CodeName(end->code)) + ": " + end->message : "";
  }
  jobd::v1::GetBatchResponse Get(FakeClient& client, const std::string& owner = "") {
    jobd::v1::GetBatchRequest request;
    request.set_correlation_id("mine");
    request.set_owner(owner);
    auto call = client.Call(request);
    EXPECT_FALSE(call->End());
    return call->template Message<jobd::v1::GetBatchResponse>();
  }
  FakeClient operator_ = Client("operator");
  FakeClient other_ = Client("operator2");
  FakeClient admin_ = Client("admin");
};

TEST_F(QueryTest, FaultC3ResolveTellsBatchAndJob) {
  jobd::v1::ResolveRequest request;
  request.set_address("last/1");
  EXPECT_EQ(Refusal(operator_, request), "NOT_FOUND: no such batch or job: last/1") << "the fake knows no job behind last";
  request.set_address("mine/1");
  auto call = operator_.Call(request);
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::ResolveResponse>().batch().correlation_id(), "mine");
  EXPECT_EQ(call->Message<jobd::v1::ResolveResponse>().index(), 1u);
  request.set_address("");
  EXPECT_EQ(Refusal(operator_, request).substr(0, 25), "INVALID_ARGUMENT: address");
}

// The name of a job is looked for in all of its batch, which the transport's threads have no time for.
TEST_F(QueryTest, FaultANameBehindASlashIsLookedUpOnAThreadOfOurs) {
  jobd::v1::ResolveRequest request;
  request.set_address("mine");
  EXPECT_EQ(Refusal(operator_, request), "");
  EXPECT_EQ(worker_.resolved_on(), std::this_thread::get_id());
  request.set_address("mine/1");
  EXPECT_EQ(Refusal(operator_, request), "");
  EXPECT_NE(worker_.resolved_on(), std::this_thread::get_id());
  jobd::v1::CancelRequest cancel;
  cancel.mutable_jobs()->set_address("mine/1");
  EXPECT_EQ(Refusal(operator_, cancel), "");
  EXPECT_NE(worker_.resolved_on(), std::this_thread::get_id());
  cancel.mutable_jobs()->set_address("none/of/these");
  EXPECT_EQ(Refusal(operator_, cancel).substr(0, 9), "NOT_FOUND");
}

TEST_F(QueryTest, FaultC3OthersThingsAreAsIfTheyWereNotThere) {
  jobd::v1::ResolveRequest request;
  for (const char* owner : {"", "operator", "nobody"}) {
    request.set_owner(owner);
    request.set_address("mine");
    EXPECT_EQ(Refusal(other_, request), "NOT_FOUND: no such batch or job: mine") << owner;
    request.set_address("last");
    EXPECT_EQ(Refusal(other_, request), "NOT_FOUND: no such batch or job: last") << owner;
  }
  request.set_owner("operator");
  EXPECT_EQ(Refusal(admin_, request), "");
}

TEST_F(QueryTest, FaultC3EveryRequestTakesAnAddressInPlaceOfAnId) {
  jobd::v1::GetBatchRequest get;
  get.set_address("last");
  auto call = operator_.Call(get);
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::GetBatchResponse>().batch().correlation_id(), "mine");
  get.set_correlation_id("mine");
  EXPECT_EQ(Refusal(operator_, get).substr(0, 16), "INVALID_ARGUMENT") << "one of the two";
  get.clear_correlation_id();
  get.set_index(1);
  EXPECT_EQ(Refusal(operator_, get).substr(0, 16), "INVALID_ARGUMENT") << "the index belongs into the address";
  jobd::v1::CancelRequest cancel;
  cancel.mutable_jobs()->set_address("first/1");
  EXPECT_EQ(Refusal(operator_, cancel), "");
  jobd::v1::ExplainRequest explain;
  explain.set_address("last");
  EXPECT_EQ(Refusal(operator_, explain), "");
  jobd::v1::RemoveBatchRequest remove;
  remove.set_address("first/1");
  EXPECT_EQ(Refusal(operator_, remove).substr(0, 16), "INVALID_ARGUMENT") << "it is about a batch";
  remove.set_address("first");
  EXPECT_EQ(Refusal(operator_, remove), "");
  jobd::v1::StreamLogsRequest logs;
  logs.set_address("last");
  logs.set_cursor("x");
  EXPECT_EQ(Refusal(operator_, logs).substr(0, 16), "INVALID_ARGUMENT") << "a cursor belongs to one batch";
}

TEST_F(QueryTest, FaultC7AnAttemptIsCheckedBeforeTheLogIsOpened) {
  jobd::v1::StreamLogsRequest logs;
  logs.set_correlation_id("mine");
  logs.set_attempt(-2);
  EXPECT_NE(Refusal(operator_, logs).find("attempt"), std::string::npos);
  logs.set_attempt(1);
  logs.set_index(1);
  logs.set_stream(jobd::v1::LOG_STREAM_STDOUT);
  logs.set_offset(3);
  EXPECT_NE(Refusal(operator_, logs).find("attempt"), std::string::npos) << "an offset counts all attempts";
}

TEST_F(QueryTest, FaultA11AReservedWordIsNoId) {
  jobd::v1::ExecuteJobRequest request;
  request.mutable_options()->set_correlation_id("last");
  request.mutable_job()->add_argv("true");
  EXPECT_NE(Refusal(operator_, request).find("reserved word"), std::string::npos);
  request.mutable_options()->set_correlation_id("last~1");
  EXPECT_EQ(Refusal(operator_, request).substr(0, 16), "INVALID_ARGUMENT");
}

TEST_F(QueryTest, FaultC1EveryReasonHasItsWords) {
  using worker::WaitCode;
  worker_.shown_jobs = {{.index = 1, .outcome = {.state = worker::JobState::kSucceeded}, .attempt = 1},
                        {.index = 2, .outcome = {.state = worker::JobState::kQueued}}};
  const std::pair<worker::WaitReason, const char*> all[] = {
      {{.code = WaitCode::kTurn, .before = 13}, "13 jobs before it"},
      {{.code = WaitCode::kTurn, .before = 1}, "1 job before it"},
      {{.code = WaitCode::kTurn, .before = 9, .before_at_least = true}, "more than 9 jobs before it"},
      {{.code = WaitCode::kTurn}, "it is about to start"},
      {{.code = WaitCode::kHeld, .by = "bob"}, "held by bob"},
      {{.code = WaitCode::kHeld}, "held"},
      {{.code = WaitCode::kServiceStopped, .by = "root"}, "the service is stopped by root"},
      {{.code = WaitCode::kBatchParallel, .used = 2, .max = 2}, "its batch's limit of 2 jobs at once"},
      {{.code = WaitCode::kUserLimit, .limit = "max_running", .used = 1, .max = 1}, "your limit of 1 running job"},
      {{.code = WaitCode::kServiceSlots, .used = 1, .max = 1}, "the one slot is taken"},
      {{.code = WaitCode::kServiceSlots, .used = 4, .max = 4}, "all 4 slots are taken"},
      {{.code = WaitCode::kDisk, .disk = "log"}, "the log disk takes nothing: it is full, fails or does not answer"},
      {{.code = WaitCode::kResource, .lacked = "making the pipes: Too many open files"},
       "the machine lacked something to start it, and it is tried again: making the pipes: Too many open files"},
      {{.code = WaitCode::kRecovering}, "what is left of its last attempt is being cleaned up"},
      {{.code = WaitCode::kRecovering, .of_service = true}, "the service is still putting in order what its restart found"},
  };
  for (const auto& [wait, words] : all) {
    worker_.waits = {wait};
    const auto batch = Get(operator_);
    ASSERT_EQ(batch.jobs_size(), 2);
    EXPECT_EQ(batch.jobs(0).waits_size(), 0) << "it has ended";
    ASSERT_EQ(batch.jobs(1).waits_size(), 1);
    EXPECT_EQ(batch.jobs(1).waits(0).text(), words);
    EXPECT_EQ(batch.jobs(1).waits(0).code(), static_cast<int>(wait.code));
  }
  worker_.waits = {{.code = WaitCode::kUserLimit, .since = 5, .limit = "max_running", .used = 1, .max = 1}};
  const auto wait = Get(admin_, "operator").jobs(1).waits(0);
  EXPECT_EQ(wait.text(), "operator's limit of 1 running job") << "an administrator reads of whose limit it is";
  EXPECT_EQ(wait.limit(), "max_running");
  EXPECT_EQ(wait.since().nanos(), 5);
}

TEST_F(QueryTest, ALoopThatDoesNotAnswerKeepsNothingElseAway) {
  worker_.shown_jobs = {{.index = 1, .outcome = {.state = worker::JobState::kQueued}}};
  worker_.explain_error = base::Error(base::Code::kUnavailable, "the state disk does not answer");
  const auto batch = Get(operator_);
  ASSERT_EQ(batch.jobs(0).waits_size(), 1);
  EXPECT_EQ(batch.jobs(0).waits(0).text(), "not known at the moment: the state disk does not answer");
}

TEST_F(QueryTest, FaultC1ExplainTellsOfTheFirstThatWaitsAndTheFirstThatFailed) {
  worker_.shown_jobs = {{.index = 1, .outcome = {.state = worker::JobState::kQueued}}};
  worker_.waits = {{.code = worker::WaitCode::kTurn, .before = 2}};
  jobd::v1::ExplainRequest request;
  request.set_correlation_id("mine");
  request.set_index(1);
  auto call = operator_.Call(request);
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::ExplainResponse>().jobs(0).waits(0).before(), 2u);
  request.set_correlation_id("absent");
  EXPECT_EQ(Refusal(operator_, request), "NOT_FOUND: no such batch or job: absent");
  EXPECT_EQ(Refusal(other_, request), "NOT_FOUND: no such batch or job: absent");
}

TEST_F(QueryTest, FaultC23ValuesOfVariablesAreForTheOwnerAlone) {
  auto spec = std::make_shared<worker::JobSpec>();
  spec->argv = {"true"};
  spec->env = {{"SECRET", "value"}};
  spec->timeout = base::kNanosPerSecond;
  worker_.shown_jobs = {
      {.index = 1, .outcome = {.state = worker::JobState::kSucceeded}, .asked = spec, .in_force = spec, .stdin_bytes = 7}};
  const auto own = Get(operator_).jobs(0);
  EXPECT_EQ(own.asked().env(0).value(), "value");
  EXPECT_FALSE(own.asked().env_values_hidden());
  EXPECT_EQ(own.asked().stdin_bytes(), 7u);
  EXPECT_EQ(own.in_force().timeout().seconds(), 1);
  const auto foreign = Get(admin_, "operator").jobs(0);
  EXPECT_EQ(foreign.asked().env(0).name(), "SECRET");
  EXPECT_EQ(foreign.asked().env(0).value(), "");
  EXPECT_TRUE(foreign.asked().env_values_hidden());
  EXPECT_EQ(foreign.DebugString().find("value\""), std::string::npos) << foreign.DebugString();
}

TEST_F(QueryTest, FaultC5ARefusedRightSaysWhichRoleWouldDo) {
  auto viewer = Client("viewer");
  jobd::v1::CancelRequest cancel;
  cancel.mutable_jobs()->set_correlation_id("mine");
  EXPECT_EQ(Refusal(viewer, cancel), "PERMISSION_DENIED: this needs the role operator or admin, and yours is viewer");
  EXPECT_EQ(Refusal(operator_, jobd::v1::DrainRequest()), "PERMISSION_DENIED: this needs the role admin, and yours is operator");
}

}  // namespace
}  // namespace jobd::server
