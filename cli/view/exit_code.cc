#include "cli/view/exit_code.h"

#include <algorithm>
#include <csignal>

#include "base/errno_text.h"
#include "base/text.h"
#include "cli/view/states.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

// Only the last step of the set-up tells something about the program. When another step fails, the service failed.
constexpr std::string_view kExecStep = "executing the program";

int StartFailure(const v1::Reason& reason) {
  if (reason.step() != kExecStep) return kExitFailed;
  const std::string& name = reason.errno_name();
  if (name == "ENOENT" || name == "ENOTDIR") return kExitNotFound;
  return kExitNotExecutable;
}

// What no program can end with must not come out as 0 once the shell has cut it to 8 bits.
constexpr int kLastExitCode = 255;
constexpr int kLastSignal = 64;

// The code of a job that ended by itself. A code of 0 beside another state than SUCCEEDED must not read as success.
int OwnCode(const v1::JobResult& result) {
  if (result.has_signal()) {
    return result.signal() >= 1 && result.signal() <= kLastSignal ? kExitSignalBase + result.signal() : kExitFailed;
  }
  if (result.has_exit_code() && result.exit_code() >= 1 && result.exit_code() <= kLastExitCode) return result.exit_code();
  return kExitFailed;
}

// SUCCEEDED alone is no proof.
bool ExitedZero(const v1::JobResult& result) { return result.has_exit_code() && result.exit_code() == 0 && !result.has_signal(); }

}  // namespace

int ExitCodeOf(const v1::JobResult& result) {
  switch (result.state()) {
    case v1::JOB_STATE_SUCCEEDED: return ExitedZero(result) ? kExitOk : kExitFailed;
    case v1::JOB_STATE_TIMED_OUT: return kExitTimedOut;
    case v1::JOB_STATE_CANCELLED: return kExitSignalBase + SIGTERM;
    case v1::JOB_STATE_OOM_KILLED: return kExitSignalBase + SIGKILL;
    case v1::JOB_STATE_FAILED:
      if (result.reason().code() == v1::REASON_CODE_START_FAILED) return StartFailure(result.reason());
      if (result.reason().code() == v1::REASON_CODE_REFUSED) return kExitFailed;
      return OwnCode(result);
    default: return kExitFailed;
  }
}

void LargestExitCode::Add(const v1::JobResult& result) {
  int& largest = result.reason().code() == v1::REASON_CODE_FAIL_FAST ? of_consequences_ : of_causes_;
  largest = std::max(largest, ExitCodeOf(result));
}

std::string Describe(const v1::JobResult& result) {
  constexpr size_t kMaxText = 900;
  std::string text = base::EscapeForTerminal(result.reason().text().substr(0, kMaxText));
  if (result.reason().text().size() > kMaxText) text += "…";
  if (!text.empty()) return text;
  if (result.has_signal()) return base::SignalName(result.signal());
  if (result.has_exit_code()) return "exit " + std::to_string(result.exit_code());
  return "";
}

std::string Ending(const v1::JobResult& result, bool never) {
  const v1::ReasonCode code = result.reason().code();
  const bool started = code != v1::REASON_CODE_START_FAILED && code != v1::REASON_CODE_REFUSED && !never;
  return (started ? "ended: " : "did not start: ") + Describe(result);
}

int ExitCodeOf(const base::Error& error, bool of_jobs) {
  if (error.code() == base::Code::kInvalidArgument) return kExitUsage;
  if (of_jobs || error.sys_errno() != 0) return kExitFailed;  // a file of ours that is missing is no batch that is missing
  switch (error.code()) {
    case base::Code::kNotFound: return kExitNoSuch;
    case base::Code::kPermissionDenied:
    case base::Code::kUnauthenticated: return kExitNotAllowed;
    default: return kExitFailed;
  }
}

}  // namespace jobd::cli
