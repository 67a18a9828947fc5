#include "cli/connect/rpc_error.h"

#include <array>

#include "base/text.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace jobd::cli {

namespace {

constexpr size_t kMaxText = 4000;
constexpr int kMaxViolations = 50;

std::string Shown(const std::string& text) {
  if (text.size() <= kMaxText) return base::EscapeForTerminal(text);
  return base::EscapeForTerminal(std::string_view(text).substr(0, kMaxText)) + "…";
}

base::Code ToCode(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::NOT_FOUND: return base::Code::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS: return base::Code::kAlreadyExists;
    case grpc::StatusCode::PERMISSION_DENIED: return base::Code::kPermissionDenied;
    case grpc::StatusCode::UNAUTHENTICATED: return base::Code::kUnauthenticated;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return base::Code::kResourceExhausted;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE: return base::Code::kInvalidArgument;
    case grpc::StatusCode::FAILED_PRECONDITION: return base::Code::kFailedPrecondition;
    case grpc::StatusCode::ABORTED: return base::Code::kAborted;
    case grpc::StatusCode::UNAVAILABLE: return base::Code::kUnavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return base::Code::kDeadlineExceeded;
    case grpc::StatusCode::CANCELLED: return base::Code::kCancelled;
    case grpc::StatusCode::DATA_LOSS: return base::Code::kDataLoss;
    default: return base::Code::kInternal;
  }
}

std::string CodeText(grpc::StatusCode code) {
  constexpr std::array<const char*, 17> kNames{
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto number = static_cast<size_t>(code);
  return number < kNames.size() ? kNames[number] : "code " + std::to_string(number);
}

std::vector<base::FieldViolation> Violations(const std::string& details) {
  std::vector<base::FieldViolation> violations;
  google::rpc::Status rich;
  if (!rich.ParseFromString(details)) return violations;
  for (const google::protobuf::Any& detail : rich.details()) {
    google::rpc::BadRequest bad;
    if (!detail.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) {
      if (violations.size() >= static_cast<size_t>(kMaxViolations)) return violations;
      violations.push_back({Shown(violation.field()), Shown(violation.description())});
    }
  }
  return violations;
}

}  // namespace

base::Error ToError(const grpc::Status& status) {
  const std::string text = status.error_message().empty() ? CodeText(status.error_code()) : Shown(status.error_message());
  return base::Error(ToCode(status.error_code()), text).WithViolations(Violations(status.error_details()));
}

}  // namespace jobd::cli
