#include "server/grpc/grpc_status.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <array>
#include <span>

#include "base/bounds.h"
#include "base/text.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "logging/fields.h"
#include "server/ops/metrics.h"

namespace jobd::server {
namespace {

// gRPC sends status and details as trailing metadata, of which clients take 8 KiB by default.
constexpr size_t kMaxText = 160;

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

// Safe for a terminal and short; what a client sent may come back in it.
std::string Shown(std::string_view text) {
  std::string shown = base::EscapeForTerminal(text.substr(0, kMaxText));
  if (text.size() > kMaxText) shown += "…";
  return shown;
}

grpc::Status InternalStatus(base::Code code, std::string_view reference) {
  const std::string suffix = reference.empty() ? "" : " (reference " + std::string(reference) + ")";
  switch (code) {
    case base::Code::kResourceExhausted: return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the service is out of resources" + suffix};
    case base::Code::kUnavailable: return {grpc::StatusCode::UNAVAILABLE, "the service is not available" + suffix};
    default: return {grpc::StatusCode::INTERNAL, "internal error" + suffix};
  }
}

}  // namespace

bool IsInternal(const base::Error& error) {
  return error.sys_errno() != 0 || error.code() == base::Code::kInternal || error.code() == base::Code::kDataLoss;
}

grpc::Status ToGrpcStatus(const base::Error& error, std::string_view reference) {
  if (IsInternal(error)) return InternalStatus(error.code(), reference);
  const grpc::StatusCode code = GrpcCode(error.code());
  if (code == grpc::StatusCode::NOT_FOUND) return {code, "no such batch or job"};
  const std::string message = Shown(error.message());
  if (error.violations().empty()) return {code, message};
  google::rpc::BadRequest bad_request;
  for (const base::FieldViolation& violation : error.violations()) {
    if (static_cast<size_t>(bad_request.field_violations_size()) == base::kMaxViolations) break;
    auto* field = bad_request.add_field_violations();
    field->set_field(Shown(violation.field));
    field->set_description(Shown(violation.problem));
  }
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(bad_request);
  return {code, message, details.SerializeAsString()};
}

ErrorReporter::ErrorReporter(std::shared_ptr<spdlog::logger> log, Metrics& metrics) : log_(std::move(log)), metrics_(metrics) {}

grpc::Status ErrorReporter::Report(const base::Error& error, std::string_view what, const worker::BatchName& batch) const {
  metrics_.OnRefused(base::CodeName(error.code()));
  if (!IsInternal(error)) return ToGrpcStatus(error);
  std::array<std::byte, 6> random{};
  if (getrandom(random.data(), random.size(), GRND_NONBLOCK) < 0) random = {};
  const std::string reference = base::Hex(random);
  const std::string message = std::string(what) + " failed: " + base::EscapeForTerminal(error.message());
  if (batch.correlation_id.empty()) {
    log_->error("{}", logging::Line(message, {{"reference", reference}}));
  } else {
    const std::string id = base::EscapeForTerminal(batch.correlation_id);
    log_->error("{}", logging::Line(message, {{"correlation_id", id}, {"owner", batch.owner}, {"reference", reference}}));
  }
  return ToGrpcStatus(error, reference);
}

}  // namespace jobd::server
