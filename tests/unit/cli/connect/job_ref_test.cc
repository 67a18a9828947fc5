// Addresses: what needs no question, and how errors name them. What they mean is the service's business.
#include "cli/connect/job_ref.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "cli/connect/client.h"
#include "jobd/v1/job_query_service.grpc.pb.h"

namespace jobd::cli {
namespace {

constexpr const char* kUuid = "0192a1b2-0000-7000-8000-0123456789ab";

// jobd's word for it came beside our own: "address: is needed".
TEST(JobRefTest, FaultC5AnEmptyAddressIsRefusedInOneMessageThatNamesId) {
  const auto client = Client::FromChannel(grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials()), Connection());
  const auto found = FindJob(*client, "", "");
  ASSERT_FALSE(found.ok());
  const base::Error error = About(found.error(), "");
  EXPECT_EQ(error.code(), base::Code::kInvalidArgument);
  ASSERT_EQ(error.violations().size(), 1u);
  EXPECT_EQ(error.violations()[0].field, "ID");
  EXPECT_EQ(error.message().rfind("ID: must not be empty", 0), 0u) << error.message();
  EXPECT_TRUE(CheckAddress("x").ok());
}

TEST(JobRefTest, AWholeUuidNeedsNoQuestion) {
  EXPECT_EQ(*WholeRef(kUuid, "me"), (JobRef{kUuid, std::nullopt, "me"}));
  EXPECT_EQ(*WholeRef(std::string(kUuid) + "/3", ""), (JobRef{kUuid, 3, ""}));
  EXPECT_EQ(WholeRef(std::string(kUuid) + "/3", "")->ToString(), std::string(kUuid) + "/3");
  for (const std::string text : {"", "/", "last", "42", "nightly", "0192a1b2", "0192a1b2-0000-7000-8000-0123456789aB",
                                 "0192a1b2-0000-7000-8000-0123456789ab/", "0192a1b2-0000-7000-8000-0123456789ab/0",
                                 "0192a1b2-0000-7000-8000-0123456789ab/build", "0192a1b2-0000-7000-8000-0123456789ab/4294967296"}) {
    EXPECT_FALSE(WholeRef(text, "")) << text;
  }
}

TEST(JobRefTest, ErrorsNameTheAddressOnce) {
  const base::Error absent(base::Code::kNotFound, "no such batch or job: nightly/9");
  EXPECT_EQ(About(absent, "nightly/9").message(), absent.message());
  EXPECT_EQ(About(base::Error(base::Code::kUnavailable, "later"), "nightly").message(), "nightly: later");
  const auto wrong = base::Error(base::Code::kInvalidArgument, "address: is too long").WithViolations({{"address", "is too long"}});
  EXPECT_EQ(About(wrong, "x\x1b").message(), "'x\\x1b': is too long");
  EXPECT_TRUE(About(wrong, "x").violations().empty()) << "nobody typed a field";
}

// Knows `nightly/build`, which is job 2 of another ID, and, being asked as an older service would be, the beginning "ol".
class FakeQuery final : public v1::JobQueryService::Service {
 public:
  explicit FakeQuery(bool old) : old_(old) {}
  grpc::Status Resolve(grpc::ServerContext*, const v1::ResolveRequest* request, v1::ResolveResponse* response) override {
    if (old_) return {grpc::StatusCode::UNIMPLEMENTED, "unknown method"};
    if (request->address() != "nightly/build") return {grpc::StatusCode::NOT_FOUND, "no such batch or job: " + request->address()};
    response->mutable_batch()->set_correlation_id("other");
    response->mutable_batch()->set_job_count(7);
    response->set_index(2);
    return grpc::Status::OK;
  }
  grpc::Status GetBatch(grpc::ServerContext*, const v1::GetBatchRequest* request, v1::GetBatchResponse* response) override {
    if (request->correlation_id() != "ol") return {grpc::StatusCode::NOT_FOUND, "no such batch or job"};
    response->mutable_batch()->set_correlation_id("old");
    return grpc::Status::OK;
  }

 private:
  const bool old_;
};

class FindJobTest : public ::testing::TestWithParam<bool> {
 protected:
  base::Result<JobRef> Find(const std::string& address, v1::Batch* batch = nullptr) {
    return FindJob(*client_, address, "", batch);
  }

  FakeQuery query_{GetParam()};
  std::unique_ptr<grpc::Server> server_ = grpc::ServerBuilder().RegisterService(&query_).BuildAndStart();
  std::unique_ptr<Client> client_ = Client::FromChannel(server_->InProcessChannel({}), {});
};
class FindJobOfANewServiceTest : public FindJobTest {};
class FindJobOfAnOldServiceTest : public FindJobTest {};

TEST_P(FindJobOfANewServiceTest, FaultC3TheServiceUnderstandsAddresses) {
  v1::Batch batch;
  EXPECT_EQ(*Find("nightly/build", &batch), (JobRef{"other", 2, ""}));
  EXPECT_EQ(batch.job_count(), 7u);
  EXPECT_EQ(Find("nightly").error().message(), "no such batch or job: nightly");
  EXPECT_EQ(*Find(std::string(kUuid) + "/1"), (JobRef{kUuid, 1, ""})) << "without a question";
}
INSTANTIATE_TEST_SUITE_P(New, FindJobOfANewServiceTest, ::testing::Values(false));

TEST_P(FindJobOfAnOldServiceTest, BeginningsAndIndexesWorkWithAServiceFromBeforeAddresses) {
  EXPECT_EQ(*Find("ol/3"), (JobRef{"old", 3, ""}));
  EXPECT_EQ(Find("no").error().message(), "no: no such batch or job");
  EXPECT_EQ(Find("ol/build").error().code(), base::Code::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(Old, FindJobOfAnOldServiceTest, ::testing::Values(true));

}  // namespace
}  // namespace jobd::cli
