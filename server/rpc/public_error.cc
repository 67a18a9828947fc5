#include "server/rpc/public_error.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <array>
#include <span>

#include "base/bounds.h"
#include "base/text.h"
#include "logging/fields.h"

namespace jobd::server {
namespace {

// gRPC sends status and details as trailing metadata, of which clients take 8 KiB by default. A text ends in what to do about it,
// so it is cut only where it must be: where many fields are wrong, or where it is no text of ours.
constexpr size_t kMaxName = 160;
constexpr size_t kMaxAlone = 1200;
constexpr size_t kMaxAmongFew = 600;
constexpr size_t kMaxAmongMany = 160;
constexpr size_t kFew = 3;

size_t MaxText(size_t violations) { return violations == 0 ? kMaxAlone : violations <= kFew ? kMaxAmongFew : kMaxAmongMany; }

// Safe for a terminal and short: text that a client sent may come back in it.
std::string Shown(std::string_view text, size_t most) {
  std::string shown = base::EscapeForTerminal(text.substr(0, most));
  if (text.size() > most) shown += "…";
  return shown;
}

PublicError PublicInternal(base::Code code, std::string_view reference) {
  const std::string suffix = reference.empty() ? "" : " (reference " + std::string(reference) + ")";
  switch (code) {
    case base::Code::kResourceExhausted: return {code, "the service is out of resources" + suffix, {}};
    case base::Code::kUnavailable: return {code, "the service is not available" + suffix, {}};
    default: return {base::Code::kInternal, "internal error" + suffix, {}};
  }
}

}  // namespace

bool IsInternal(const base::Error& error) {
  return error.sys_errno() != 0 || error.code() == base::Code::kInternal || error.code() == base::Code::kDataLoss;
}

PublicError ToPublic(const base::Error& error, std::string_view reference, std::string_view asked) {
  if (IsInternal(error)) return PublicInternal(error.code(), reference);
  if (error.code() == base::Code::kNotFound && error.message() != kUnknownService) {
    return {error.code(), "no such batch or job" + (asked.empty() ? "" : ": " + Shown(asked, kMaxName)), {}};
  }
  const size_t most = MaxText(error.violations().size());
  PublicError shown{error.code(), Shown(error.message(), most), {}};
  for (const base::FieldViolation& violation : error.violations()) {
    if (shown.violations.size() == base::kMaxViolations) break;
    shown.violations.push_back({Shown(violation.field, kMaxName), Shown(violation.problem, most)});
  }
  return shown;
}

ErrorReporter::ErrorReporter(std::shared_ptr<spdlog::logger> log, OnError on_error)
    : log_(std::move(log)), on_error_(std::move(on_error)) {}

PublicError ErrorReporter::Report(const base::Error& error, std::string_view method, const worker::BatchName& batch) const {
  if (on_error_) on_error_(base::CodeName(error.code()));
  if (!IsInternal(error)) return ToPublic(error, {}, batch.correlation_id);
  std::array<std::byte, 6> random{};
  if (getrandom(random.data(), random.size(), GRND_NONBLOCK) < 0) random = {};
  const std::string reference = base::Hex(random);
  const std::string message = std::string(method) + " failed: " + base::EscapeForTerminal(error.message());
  if (batch.correlation_id.empty()) {
    log_->error("{}", logging::Line(message, {{"reference", reference}}));
  } else {
    const std::string id = base::EscapeForTerminal(batch.correlation_id);
    log_->error("{}", logging::Line(message, {{"correlation_id", id}, {"owner", batch.owner}, {"reference", reference}}));
  }
  return ToPublic(error, reference);
}

}  // namespace jobd::server
