// The handlers of all methods, called without a network.
#include "server/api/handlers.h"

#include <set>

#include "tests/unit/server/api_fixture.h"
#include "tests/unit/server/fill_in.h"

namespace jobd::server {
namespace {

using testing::FakeClient;

class HandlersTest : public testing::ApiFixture {
 protected:
  FakeClient operator_ = Client("operator");

  void Execute(FakeClient& client, const std::string& id) {
    jobd::v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id(id);
    request.mutable_job()->add_argv("true");
    const CallEnd end = client.Call(request)->End();
    ASSERT_FALSE(end) << end->message;
  }

  static jobd::v1::SubmitBatchRequest Jobs(int count) {
    jobd::v1::SubmitBatchRequest request;
    for (int i = 0; i < count; ++i) request.add_jobs()->add_argv("true");
    return request;
  }
};

TEST_F(HandlersTest, EveryMethodOfTheTableAnswersWithoutATransport) {
  Execute(operator_, "mine");
  worker_.log->Append("output");
  worker_.log->Finish();
  std::set<std::string> answered;
  for (const auto& [path, method] : methods_.by_path()) {
    const std::unique_ptr<Message> in(method->request->New());
    testing::FillIn(*in, "admin");
    // An admin may call everything; batches are the operator's.
    if (const auto* owner = in->GetDescriptor()->FindFieldByName("owner"))
      in->GetReflection()->SetString(in.get(), owner, "operator");
    if (const auto* jobs = in->GetDescriptor()->FindFieldByName("jobs"); jobs != nullptr && !jobs->is_repeated()) {
      Message* const selector = in->GetReflection()->MutableMessage(in.get(), jobs);
      selector->GetReflection()->SetString(selector, selector->GetDescriptor()->FindFieldByName("owner"), "operator");
    }
    const std::string certificate = ca_.User("admin").cert;
    auto admin = ClientWith(certificate);
    if (method->rule->carries == Carries::kToken) admin.With(TokenFor("admin", certificate));
    auto call = admin.Call(*method, in.get());
    if (method->is_upload()) {
      EXPECT_TRUE(call->Send(Jobs(2)));
      EXPECT_FALSE(call->Close()) << path;
    } else if (method->is_dialogue()) {
      EXPECT_FALSE(call->HangUp()) << path;
    } else if (path == "/grpc.health.v1.Health/Watch") {
      // It lasts.
      EXPECT_TRUE(call->Received(1));
      answered.insert(path);
      call->Leave();
      continue;
    }
    const CallEnd end = call->End();
    EXPECT_FALSE(end) << path << ": " << end->message;
    EXPECT_GE(call->received(), 1u) << path;
    answered.insert(path);
  }
  EXPECT_EQ(answered.size(), methods_.by_path().size());
  EXPECT_GE(answered.size(), 21u);
}

TEST_F(HandlersTest, AServiceThatIsNoneIsCalledOne) {
  grpc::health::v1::HealthCheckRequest in;
  in.set_service("jobd.v1.NoSuchService");
  const CallEnd end = Client("viewer").Call(*methods_.by_path().at("/grpc.health.v1.Health/Check"), &in)->End();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::kNotFound);
  EXPECT_EQ(end->message, kUnknownService);
}

TEST_F(HandlersTest, TheTableOfRightsHoldsForEveryMethod) {
  const std::pair<const char*, config::Role> users[] = {
      {"viewer", config::Role::kViewer}, {"operator", config::Role::kOperator}, {"admin", config::Role::kAdmin}};
  for (const auto& [path, method] : methods_.by_path()) {
    const std::unique_ptr<Message> in(method->request->New());
    for (const auto& [name, role] : users) {
      const std::string certificate = ca_.User(name).cert;
      auto client = ClientWith(certificate);
      if (method->rule->carries == Carries::kToken) client.With(TokenFor(name, certificate));
      auto call = client.Call(*method, in.get());
      if (method->rule->For(role) == Scope::kNone) {
        const CallEnd end = call->End();
        ASSERT_TRUE(end) << path;
        EXPECT_EQ(end->code, base::Code::kPermissionDenied) << path << " of " << name;
      } else if (call->ended() && call->End()) {
        EXPECT_NE(call->End()->code, base::Code::kPermissionDenied) << path << " of " << name;
        EXPECT_NE(call->End()->code, base::Code::kUnauthenticated) << path << " of " << name;
      }
    }
    auto stranger = Client("stranger");
    const CallEnd end = stranger.Call(*method, in.get())->End();
    ASSERT_TRUE(end) << path;
    EXPECT_EQ(end->code, base::Code::kUnauthenticated) << path;
  }
}

// ---- schedule ----

TEST_F(HandlersTest, PiecesBecomeOneBatch) {
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  auto first = Jobs(2);
  first.mutable_options()->set_correlation_id("pieces");
  EXPECT_TRUE(call->Send(first));
  EXPECT_TRUE(call->Send(Jobs(3)));
  EXPECT_TRUE(worker_.submissions().empty()) << "not before it is whole";
  ASSERT_FALSE(call->Close());
  EXPECT_EQ(call->Message<jobd::v1::SubmitBatchResponse>().correlation_id(), "pieces");
  EXPECT_EQ(call->Message<jobd::v1::SubmitBatchResponse>().job_count(), 5u);
  ASSERT_EQ(worker_.submissions().size(), 1u);
  EXPECT_EQ(worker_.submissions()[0].jobs.size(), 5u);
  EXPECT_EQ(worker_.submissions()[0].submitter.owner, "operator");
}

TEST_F(HandlersTest, ABadJobAnywhereRefusesTheWhole) {
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(call->Send(Jobs(2)));
  jobd::v1::SubmitBatchRequest bad;
  bad.add_jobs();
  EXPECT_FALSE(call->Send(bad));
  const CallEnd end = call->End();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::kInvalidArgument);
  EXPECT_NE(end->message.find("jobs[2].argv"), std::string::npos) << end->message;
  EXPECT_TRUE(worker_.submissions().empty());
}

TEST_F(HandlersTest, AnEmptyOrTooLongBatchIsRefused) {
  {
    auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
    const CallEnd end = call->Close();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->code, base::Code::kInvalidArgument);
    ASSERT_EQ(end->violations.size(), 1u);
    EXPECT_EQ(end->violations[0].field, "jobs");
  }
  max_batch_jobs_ = 100;
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  while (call->Send(Jobs(20))) {
  }
  EXPECT_EQ(call->End()->code, base::Code::kResourceExhausted);
  EXPECT_TRUE(worker_.submissions().empty());
}

TEST_F(HandlersTest, AnUploadThatIsCutOffIsNeverSubmitted) {
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(call->Send(Jobs(10)));
  call->Leave();
  EXPECT_EQ(call->End()->code, base::Code::kCancelled);
  EXPECT_FALSE(call->Send(Jobs(10)));
  EXPECT_TRUE(worker_.submissions().empty());
}

// The client's last word and the end of its right, or its loss, may come at the same moment.
TEST_F(HandlersTest, AnUploadThatEndsAsItIsSubmittedEndsOnce) {
  auto lost = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(lost->Send(Jobs(1)));
  lost->Leave();
  EXPECT_EQ(lost->Close()->code, base::Code::kCancelled);

  auto disabled = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(disabled->Send(Jobs(1)));
  files_.users =
      "[[user]]\nname = \"admin\"\nrole = \"admin\"\n[[user]]\nname = \"operator\"\nrole = \"operator\"\ndisabled = true\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_EQ(disabled->Close()->code, base::Code::kUnauthenticated);

  EXPECT_TRUE(worker_.submissions().empty());
  EXPECT_EQ(limits_.InProgress("operator"), 0u);
  EXPECT_EQ(Log().find("gave no answer"), std::string::npos) << Log();
}

TEST_F(HandlersTest, AnUploadIsSubmittedWithTheRightsOfThatMoment) {
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(call->Send(Jobs(1)));
  files_.users =
      "[[user]]\nname = \"admin\"\nrole = \"admin\"\n[[user]]\nname = \"operator\"\nrole = \"operator\"\nmax_queued = 7\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_FALSE(call->Close());
  ASSERT_EQ(worker_.submissions().size(), 1u);
  EXPECT_EQ(worker_.submissions()[0].submitter.max_queued, 7u);
}

TEST_F(HandlersTest, FaultD17AReloadThatWouldLockSomebodyOutIsRefusedUnlessItIsForced) {
  auto admin = Client("admin");
  EXPECT_FALSE(admin.Call(jobd::v1::GetStatusRequest())->End()) << "the admin has come in";
  const FileContents before = files_;
  files_.tls.client_ca = testing::TestCa("another CA").pem();
  files_.config.insert(files_.config.find("ca = "), "client_ca = \"/clients\"\n");
  const CallEnd end = admin.Call(jobd::v1::ReloadRequest())->End();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::kFailedPrecondition);
  EXPECT_NE(end->message.find("admin would be locked out"), std::string::npos) << end->message;
  EXPECT_NE(end->message.find("--force"), std::string::npos) << end->message;
  EXPECT_EQ(tls_.Current()->pem, before.tls) << "the one before stays";

  jobd::v1::ReloadRequest force;
  force.set_force(true);
  auto forced = admin.Call(force);
  EXPECT_FALSE(forced->End());
  const auto report = forced->Message<jobd::v1::ReloadResponse>();
  EXPECT_EQ(report.changed(0), "tls.client_ca");
  EXPECT_NE(report.warnings(0).find("admin would be locked out"), std::string::npos);
  EXPECT_EQ(tls_.Current()->pem, files_.tls);
  EXPECT_TRUE(admin.Call(jobd::v1::GetStatusRequest())->End()) << "as was said, whatever connection it has from before";
  files_ = before;  // the way back is the machine's: nobody need be asked for it
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_FALSE(admin.Call(jobd::v1::GetStatusRequest())->End());
}

TEST_F(HandlersTest, FaultC18StatusWarnsOfCertificatesThatEndSoonAndOfNames) {
  files_.warnings = {"users.toml: there is no such thing"};
  ASSERT_TRUE(reloader_.Reload(false).ok());
  auto status = Client("viewer").Call(jobd::v1::GetStatusRequest());
  EXPECT_FALSE(status->End());
  const auto told = status->Message<jobd::v1::GetStatusResponse>();
  // The certificates of tests last an hour.
  ASSERT_EQ(told.warnings_size(), 3);
  EXPECT_EQ(told.warnings(0), "users.toml: there is no such thing");
  EXPECT_EQ(told.warnings(1).find("tls.cert ends within an hour (20"), 0u) << told.warnings(1);
}

// One user holds all the memory that one user can, in uploads that go on and on; two others want to submit.
TEST_F(HandlersTest, FaultA17UploadsThatDribbleLeaveRoomForTwoNeighbours) {
  const auto holding = [](size_t bytes) {
    jobd::v1::SubmitBatchRequest request;
    request.add_jobs()->add_argv(std::string(bytes, 'x'));
    return request;
  };
  auto first = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  auto second = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  ASSERT_TRUE(first->Send(holding(kUploads / 2 - 65536)));
  ASSERT_FALSE(second->Send(holding(kUploads / 2 - 65536))) << "beyond the share of one user";
  EXPECT_EQ(second->End()->code, base::Code::kResourceExhausted);

  for (const char* neighbour : {"operator2", "operator3"}) {
    auto client = Client(neighbour);
    auto call = client.Upload<jobd::v1::SubmitBatchRequest>();
    EXPECT_TRUE(call->Send(holding(kUploads / 8))) << neighbour;
    EXPECT_FALSE(call->Close()) << neighbour;
  }

  // A byte now and then does not keep it for ever.
  for (int i = 0; i < 21; ++i) {
    clock_.Advance(30 * base::kNanosPerSecond);
    first->Send(Jobs(1));
    streams_.RecheckAll();
  }
  ASSERT_TRUE(first->ended());
  EXPECT_EQ(first->End()->code, base::Code::kDeadlineExceeded);
  first = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_TRUE(first->Send(holding(kUploads / 2 - 65536))) << "the memory is there again";
}

// On the wire two bytes each.
TEST_F(HandlersTest, EmptyArgumentsOfAnUploadCountByTheMemoryTheyTake) {
  auto request = Jobs(1);
  for (uint64_t i = 0; i < kUploads / 2 / sizeof(std::string); ++i) request.mutable_jobs(0)->add_argv("");
  ASSERT_LT(request.ByteSizeLong(), kUploads / 8);
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  EXPECT_FALSE(call->Send(request));
  EXPECT_EQ(call->End()->code, base::Code::kResourceExhausted);
}

TEST_F(HandlersTest, AnUploadWithoutMessagesEndsAfterAMinute) {
  auto call = operator_.Upload<jobd::v1::SubmitBatchRequest>();
  clock_.Advance(59 * base::kNanosPerSecond);
  ASSERT_TRUE(call->Send(Jobs(1)));
  clock_.Advance(59 * base::kNanosPerSecond);
  streams_.RecheckAll();
  EXPECT_FALSE(call->ended());
  clock_.Advance(2 * base::kNanosPerSecond);
  streams_.RecheckAll();
  ASSERT_TRUE(call->ended());
  EXPECT_EQ(call->End()->code, base::Code::kDeadlineExceeded);
}

TEST_F(HandlersTest, ExecuteCanWaitForTheEnd) {
  jobd::v1::ExecuteJobRequest request;
  request.mutable_job()->add_argv("true");
  request.set_wait(true);
  auto call = operator_.Call(request);
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::ExecuteJobResponse>().result().state(), jobd::v1::JOB_STATE_SUCCEEDED);
}

// ---- query and streams ----

TEST_F(HandlersTest, OthersBatchesCannotBeToldFromNone) {
  Execute(operator_, "mine");
  auto other = Client("operator2");
  const auto get = [&](const std::string& id, const std::string& owner) {
    jobd::v1::GetBatchRequest request;
    request.set_correlation_id(id);
    request.set_owner(owner);
    return other.Call(request)->End();
  };
  const CallEnd absent = get("absent", "");
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->code, base::Code::kNotFound);
  // All that differs is what the client asked for.
  EXPECT_EQ(absent->message, "no such batch or job: absent");
  using Asked = std::pair<std::string, std::string>;
  for (const auto& [id, owner] :
       {Asked("mine", ""), Asked("mine", "operator"), Asked("absent", "operator"), Asked("x", "nobody")}) {
    const CallEnd foreign = get(id, owner);
    ASSERT_TRUE(foreign);
    EXPECT_EQ(foreign->code, absent->code);
    EXPECT_EQ(foreign->message, "no such batch or job: " + id);
    EXPECT_EQ(foreign->violations, absent->violations);
  }
  jobd::v1::CancelRequest cancel;
  cancel.mutable_jobs()->set_correlation_id("mine");
  cancel.mutable_jobs()->set_owner("operator");
  EXPECT_EQ(other.Call(cancel)->End()->message, "no such batch or job: mine");
  EXPECT_EQ(worker_.changes(), 0);
}

TEST_F(HandlersTest, ListingEverybodysIsOnesOwnForAnOperator) {
  auto other = Client("operator2");
  Execute(operator_, "one");
  Execute(other, "two");
  const auto count = [&](const std::string& user) {
    jobd::v1::ListBatchesRequest request;
    request.set_owner("*");
    auto client = Client(user);
    auto call = client.Call(request);
    EXPECT_FALSE(call->End());
    return call->Message<jobd::v1::ListBatchesResponse>().batches_size();
  };
  EXPECT_EQ(count("operator"), 1);
  EXPECT_EQ(count("viewer"), 2);
  EXPECT_EQ(count("admin"), 2);
}

TEST_F(HandlersTest, AReadThatFailsInsideTellsNothingOfTheInside) {
  Execute(operator_, "mine");
  worker_.read_error = base::Error(base::Code::kInternal, "disk I/O error in /var/lib/jobd/jobd.db");
  jobd::v1::GetBatchRequest request;
  request.set_correlation_id("mine");
  const CallEnd end = operator_.Call(request)->End();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::kInternal);
  EXPECT_EQ(end->message.find("/var"), std::string::npos);
  const std::string reference = end->message.substr(end->message.size() - 13, 12);
  EXPECT_NE(Log().find(reference), std::string::npos) << end->message << "\n" << Log();
}

TEST_F(HandlersTest, SearchGivesResultsAndLogs) {
  Execute(operator_, "mine");
  worker_.log->Append("output");
  worker_.log->Finish();
  jobd::v1::SearchJobRequest request;
  request.set_correlation_id("mine");
  auto call = operator_.Call(request);
  ASSERT_FALSE(call->End());
  std::string output;
  for (size_t i = 0; i < call->received(); ++i) {
    const auto piece = call->Message<jobd::v1::SearchJobResponse>(i);
    EXPECT_EQ(piece.index(), 1u);
    EXPECT_EQ(piece.result().state(), jobd::v1::JOB_STATE_SUCCEEDED);
    output += piece.log_output();
  }
  EXPECT_EQ(output, "output");
}

TEST_F(HandlersTest, WhoAmITellsNameAndRole) {
  auto call = operator_.Call(jobd::v1::WhoAmIRequest());
  ASSERT_FALSE(call->End());
  EXPECT_EQ(call->Message<jobd::v1::WhoAmIResponse>().name(), "operator");
  EXPECT_EQ(call->Message<jobd::v1::WhoAmIResponse>().role(), "operator");
}

}  // namespace
}  // namespace jobd::server
