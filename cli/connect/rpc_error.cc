#include "cli/connect/rpc_error.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
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

// What comes with a status.
struct Details {
  std::vector<base::FieldViolation> violations;
  base::Nanos retry_after = 0;
};

Details DetailsOf(const std::string& bytes) {
  Details details;
  google::rpc::Status rich;
  if (!rich.ParseFromString(bytes)) return details;
  for (const google::protobuf::Any& detail : rich.details()) {
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&retry)) {
      const int64_t seconds = std::clamp<int64_t>(retry.retry_delay().seconds(), 0, 86'400);
      details.retry_after = seconds * base::kNanosPerSecond + std::clamp(retry.retry_delay().nanos(), 0, 999'999'999);
    }
    google::rpc::BadRequest bad;
    if (!detail.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) {
      if (details.violations.size() >= static_cast<size_t>(kMaxViolations)) return details;
      details.violations.push_back({Shown(violation.field()), Shown(violation.description())});
    }
  }
  return details;
}

}  // namespace

base::Error ToError(const grpc::Status& status) {
  std::string text = status.error_message().empty() ? CodeText(status.error_code()) : Shown(status.error_message());
  Details details = DetailsOf(status.error_details());
  if (details.retry_after > 0) {
    const base::Nanos seconds = (details.retry_after + base::kNanosPerSecond - 1) / base::kNanosPerSecond;
    text += " (in " + std::to_string(seconds) + (seconds == 1 ? " second)" : " seconds)");
  }
  return base::Error(ToCode(status.error_code()), text).WithViolations(std::move(details.violations));
}

}  // namespace jobd::cli
