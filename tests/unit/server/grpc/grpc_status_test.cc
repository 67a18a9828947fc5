// Errors as gRPC shows them.
#include "server/grpc/grpc_status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace jobd::server {
namespace {

using base::Code;
using base::Error;

std::string All(const grpc::Status& status) { return status.error_message() + status.error_details(); }

TEST(GrpcStatus, InternalTextsStayHere) {
  const Error errors[] = {Error(Code::kInternal, "SELECT * FROM jobs at /var/lib/jobd"),
                          Error(Code::kDataLoss, "/var/lib/jobd/jobd.db"), base::SysError("opening /var/lib/jobd/logs", ENOSPC),
                          base::SysError("opening /var/lib/jobd/logs", EACCES),
                          base::SysError("opening /var/lib/jobd/logs", ENOENT)};
  for (const Error& error : errors) {
    const grpc::Status status = ToGrpcStatus(ToPublic(error, "abc123"));
    EXPECT_EQ(All(status).find("/var"), std::string::npos) << status.error_message();
    EXPECT_EQ(All(status).find("SELECT"), std::string::npos) << status.error_message();
    EXPECT_NE(status.error_message().find("abc123"), std::string::npos) << status.error_message();
  }
  EXPECT_EQ(ToGrpcStatus(ToPublic(errors[2])).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ToGrpcStatus(ToPublic(errors[3])).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ToGrpcStatus(ToPublic(errors[4])).error_code(), grpc::StatusCode::INTERNAL);
}

TEST(GrpcStatus, NotFoundAlwaysReadsTheSame) {
  const auto one = ToGrpcStatus(ToPublic(Error(Code::kNotFound, "batch 7 of operator")));
  const auto other = ToGrpcStatus(ToPublic(Error(Code::kNotFound, "no such batch")));
  EXPECT_EQ(one.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(All(one), All(other));
  EXPECT_NE(All(ToGrpcStatus(ToPublic(Error(Code::kNotFound, std::string(kUnknownService))))), All(one)) << "but for health checks";
}

TEST(GrpcStatus, ViolationsTravelAsDetails) {
  const auto status = ToGrpcStatus(
      ToPublic(Error(Code::kInvalidArgument, "bad").WithViolations({{"jobs[2].argv", "is empty"}, {"name", "is \x1b[31mred"}})));
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  google::rpc::BadRequest bad_request;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  ASSERT_EQ(bad_request.field_violations_size(), 2);
  EXPECT_EQ(bad_request.field_violations(0).field(), "jobs[2].argv");
  EXPECT_EQ(bad_request.field_violations(1).description().find('\x1b'), std::string::npos);
}

TEST(GrpcStatus, FitsIntoTrailingMetadata) {
  std::vector<base::FieldViolation> many(10'000, {std::string(5000, 'f'), std::string(5000, 'p')});
  const auto status =
      ToGrpcStatus(ToPublic(Error(Code::kInvalidArgument, std::string(100'000, 'm')).WithViolations(std::move(many))));
  EXPECT_LT(All(status).size(), 7000u);
}

// What to do about it stands at a text's end, which was cut off behind 160 bytes.
TEST(GrpcStatus, FaultC5TheRemedyIsNotCutOff) {
  const std::string text = "nothing was changed: " + std::string(500, 'x') + ": chmod go-w /etc/jobd/certs";
  EXPECT_EQ(ToPublic(Error(Code::kFailedPrecondition, text)).message, text);
  const PublicError one = ToPublic(Error(Code::kInvalidArgument, text).WithViolations({{"job.workdir", text}}));
  EXPECT_EQ(one.message, text);
  EXPECT_EQ(one.violations.at(0).problem, text);
  std::vector<base::FieldViolation> few(3, {std::string(5000, 'f'), std::string(5000, '\xff')});
  const Error longest = Error(Code::kInvalidArgument, std::string(100'000, '\xff')).WithViolations(std::move(few));
  EXPECT_TRUE(ToPublic(longest).message.ends_with("…"));
}

TEST(GrpcStatus, AnEndWithoutAnErrorIsOk) { EXPECT_TRUE(ToGrpcStatus(CallEnd()).ok()); }

}  // namespace
}  // namespace jobd::server
