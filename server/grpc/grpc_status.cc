#include "server/grpc/grpc_status.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace jobd::server {
namespace {

grpc::StatusCode GrpcCode(base::Code code) {
  switch (code) {
    case base::Code::kInvalidArgument: return grpc::StatusCode::INVALID_ARGUMENT;
    case base::Code::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case base::Code::kAlreadyExists: return grpc::StatusCode::ALREADY_EXISTS;
    case base::Code::kPermissionDenied: return grpc::StatusCode::PERMISSION_DENIED;
    case base::Code::kUnauthenticated: return grpc::StatusCode::UNAUTHENTICATED;
    case base::Code::kResourceExhausted: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case base::Code::kFailedPrecondition: return grpc::StatusCode::FAILED_PRECONDITION;
    case base::Code::kAborted: return grpc::StatusCode::ABORTED;
    case base::Code::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case base::Code::kDeadlineExceeded: return grpc::StatusCode::DEADLINE_EXCEEDED;
    case base::Code::kCancelled: return grpc::StatusCode::CANCELLED;
    case base::Code::kDataLoss: return grpc::StatusCode::DATA_LOSS;
    case base::Code::kInternal: return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

}  // namespace

grpc::Status ToGrpcStatus(const PublicError& error) {
  const grpc::StatusCode code = GrpcCode(error.code);
  if (error.violations.empty() && error.retry_after == 0) return {code, error.message};
  google::rpc::BadRequest bad_request;
  for (const base::FieldViolation& violation : error.violations) {
    auto* field = bad_request.add_field_violations();
    field->set_field(violation.field);
    field->set_description(violation.problem);
  }
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(error.message);
  if (!error.violations.empty()) details.add_details()->PackFrom(bad_request);
  if (error.retry_after > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(error.retry_after / base::kNanosPerSecond);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(error.retry_after % base::kNanosPerSecond));
    details.add_details()->PackFrom(retry);
  }
  return {code, error.message, details.SerializeAsString()};
}

grpc::Status ToGrpcStatus(const CallEnd& end) { return end ? ToGrpcStatus(*end) : grpc::Status::OK; }

}  // namespace jobd::server
