// What a client may know of an error. Every transport shows a PublicError and nothing else, in its own form.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model/model.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

// Texts are short, safe for a terminal, and say nothing about this machine.
struct PublicError {
  base::Code code = base::Code::kInternal;
  std::string message;
  std::vector<base::FieldViolation> violations;  // at most 16
  base::Nanos retry_after = 0;                   // how long it is until the same may succeed; 0: nobody knows
};

// How a call ends; empty: OK.
using CallEnd = std::optional<PublicError>;

// What a client is told whose request is no message of the API: bytes that do not parse, or text that is not UTF-8.
inline constexpr std::string_view kMalformedRequest = "the request is not a well-formed message (every text must be UTF-8)";

// kNotFound for a service that is none: of all that can be missing, nobody has to be kept from knowing it.
inline constexpr std::string_view kUnknownService = "unknown service: this server has no service of that name";

// True for errors whose text is about this machine (kInternal, kDataLoss, or anything with an errno) and not about the request.
bool IsInternal(const base::Error& error);

// kNotFound always reads the same but for `asked`, the batch as the client named it, so that nobody can tell another user's batch
// from one that does not exist; only kUnknownService is shown as it is. An internal error keeps its code when that is
// kResourceExhausted or kUnavailable and becomes kInternal otherwise; its text is replaced, and names `reference` if one is given.
PublicError ToPublic(const base::Error& error, std::string_view reference = {}, std::string_view asked = {});

// Counts errors and logs internal ones under a reference, which the client is given to quote. Thread-safe.
class ErrorReporter {
 public:
  // Told the code of each error, as in base::CodeName. Thread-safe; must not block.
  using OnError = std::function<void(std::string_view code)>;
  ErrorReporter(std::shared_ptr<spdlog::logger> log, OnError on_error);
  // For the log: `method` is the call's method, and `batch` the batch it is about, if any.
  PublicError Report(const base::Error& error, std::string_view method, const worker::BatchName& batch = {}) const;

 private:
  const std::shared_ptr<spdlog::logger> log_;
  const OnError on_error_;
};

}  // namespace jobd::server
