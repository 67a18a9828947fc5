// The only place where an error of ours becomes what a client sees.
#pragma once

#include <memory>
#include <string_view>

#include <grpcpp/support/status.h>

#include "base/result.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

// True for errors whose text is about this machine (kInternal, kDataLoss, or anything with an errno) and not about the request.
bool IsInternal(const base::Error& error);

// The code of the same name. Violations travel as google.rpc.BadRequest in the details, at most 16 of them. NOT_FOUND always reads
// the same, so that a batch of somebody else's cannot be told from one that is not there. Internal errors keep their code where it
// is RESOURCE_EXHAUSTED or UNAVAILABLE, else become INTERNAL, and never their text; `reference`, if given, is named instead.
grpc::Status ToGrpcStatus(const base::Error& error, std::string_view reference = {});

// Logs internal errors under a reference which the client is given to quote, then as above. Thread-safe.
class ErrorReporter {
 public:
  explicit ErrorReporter(std::shared_ptr<spdlog::logger> log);
  // `what` names the call, for the log: "StreamLogs operator/0192…".
  grpc::Status Report(const base::Error& error, std::string_view what) const;

 private:
  std::shared_ptr<spdlog::logger> log_;
};

}  // namespace jobd::server
