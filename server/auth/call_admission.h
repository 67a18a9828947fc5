// The first line of every handler: who calls, may they, and is there room.
#pragma once

#include <string_view>

#include "base/result.h"
#include "server/auth/access.h"
#include "server/auth/access_table.h"
#include "server/auth/call_limits.h"
#include "worker/model/model.h"

namespace grpc {
class CallbackServerContext;
}
namespace spdlog {
class logger;
}

namespace jobd::server {

// An admitted call. Lives as long as the call does.
struct Call {
  std::string_view method;  // of the rule
  Caller caller;
  Reach reach = Reach::kNone;
  CallLimits::Token token;  // given back just before the answer, which may be followed at once by the next call
  worker::BatchName about;  // whom it concerns, for the log; empty: nobody, or not yet known
};

// Says in the log how a call ended, for those who debug.
void LogEnd(spdlog::logger& log, const Call& call, std::string_view how);

// Thread-safe. `access` and `limits` outlive it.
class Admission {
 public:
  Admission(AccessControl& access, CallLimits& limits) : access_(access), limits_(limits) {}

  // `method` as in authz.h. kUnauthenticated, kPermissionDenied (also when there is no rule) or kResourceExhausted.
  base::Result<Call> Admit(const grpc::CallbackServerContext& context, std::string_view method);
  // Would this call be admitted now, with no less reach? For calls that last, and before what they have gathered takes effect.
  base::Status StillAdmitted(const Call& call) const;

 private:
  AccessControl& access_;
  CallLimits& limits_;
};

}  // namespace jobd::server
