// The only place where an error of ours becomes what a client sees.
#pragma once

#include <memory>
#include <string_view>

#include <grpcpp/support/status.h>

#include "base/result.h"
#include "worker/model/model.h"

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

class Metrics;

// Counts errors, and logs internal ones under a reference which the client is given to quote, then as above. Thread-safe.
class ErrorReporter {
 public:
  // `metrics` outlives it.
  ErrorReporter(std::shared_ptr<spdlog::logger> log, Metrics& metrics);
  // `what` names the call and `batch` whom it is about, if anybody, for the log.
  grpc::Status Report(const base::Error& error, std::string_view what, const worker::BatchName& batch = {}) const;

 private:
  std::shared_ptr<spdlog::logger> log_;
  Metrics& metrics_;
};

}  // namespace jobd::server
