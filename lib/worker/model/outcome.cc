#include "worker/model/outcome.h"

#include <cerrno>
#include <csignal>
#include <string>

#include "base/errno_text.h"
#include "base/text.h"
#include "base/units.h"

namespace jobd::worker {
namespace {

Reason Words(ReasonCode code, std::string text) { return Reason{.code = code, .text = std::move(text)}; }

constexpr size_t kMostShown = 200;  // bytes of what the job was submitted with

std::string Shown(std::string_view text) {
  return base::EscapeForTerminal(text.substr(0, kMostShown)) + (text.size() > kMostShown ? "…" : "");
}

std::string ProgramFailed(const std::string& program, int errno_value, const std::string& why) {
  std::string text = Shown(program) + ": " + why;
  if (errno_value != ENOENT) return text;
  if (program.find_first_of(" |;&<>") != std::string::npos) return text + "; a command line for the shell needs --shell";
  if (program.find('/') == std::string::npos) return text + " in the job's PATH";
  // The kernel says the same of a script whose interpreter is missing.
  text += " (or its interpreter, which its first line names)";
  if (program.front() != '/') text += "; a job works where --workdir says";
  return text;
}

// How the program itself ended, when nobody ended it.
Outcome BySelf(const launch::SlotRecord& record, const Bounds& bounds) {
  Outcome outcome;
  if (record.exit.success()) {
    outcome.state = JobState::kSucceeded;
    outcome.reason = Words(ReasonCode::kExited, "exit 0");
    return outcome;
  }
  outcome.state = JobState::kFailed;
  if (record.exit.kind == base::ExitStatus::Kind::kExited) {
    outcome.reason = Words(ReasonCode::kExited, "exit " + std::to_string(record.exit.value));
  } else {
    outcome.reason = Words(ReasonCode::kSignaled, "killed by " + base::SignalName(record.exit.value));
  }
  // The kernel sends this signal for nothing else; a shell tells of it as it tells of any.
  const bool by_signal = record.exit == base::ExitStatus::Signaled(SIGXFSZ);
  const bool by_shell = bounds.limits.file_bytes != 0 && record.exit == base::ExitStatus::Exited(128 + SIGXFSZ);
  if (by_signal || by_shell) {
    outcome.reason.code = ReasonCode::kFileSizeLimit;
    outcome.reason.text =
        "file size limit" + (bounds.limits.file_bytes != 0 ? " of " + base::FormatSize(bounds.limits.file_bytes) : "") + " reached";
    return outcome;
  }
  // A program that failed after a limit refused it something most likely failed of that.
  if ((record.flags & launch::kFlagPidsLimitHit) != 0) {
    outcome.reason.code = ReasonCode::kPidsLimit;
    outcome.reason.text += ", after the limit of " + std::to_string(bounds.limits.pids) + " processes was reached";
  }
  return outcome;
}

}  // namespace

Outcome OutcomeOf(const launch::SlotRecord& record, const Reason& asked, const Bounds& bounds) {
  Outcome outcome;
  switch (record.cause) {
    case launch::EndCause::kSelf: outcome = BySelf(record, bounds); break;
    case launch::EndCause::kSetupFailed:
      outcome.state = JobState::kFailed;
      outcome.reason = StartFailed(launch::StepText(record.step), record.step_errno, bounds);
      return outcome;
    case launch::EndCause::kTimeout:
      outcome.state = JobState::kTimedOut;
      outcome.reason = Words(ReasonCode::kTimeout, bounds.timeout > 0 ? "timed out after " + base::ExactDuration(bounds.timeout)
                                                                      : std::string("timed out"));
      break;
    case launch::EndCause::kCancel:
      outcome.state = JobState::kCancelled;
      outcome.reason = asked.code == ReasonCode::kNone ? CancelledByUser("", "") : asked;
      break;
    case launch::EndCause::kMemoryLimit:
      outcome.state = JobState::kOomKilled;
      outcome.reason =
          Words(ReasonCode::kMemoryLimit, bounds.limits.memory_bytes > 0
                                              ? "memory limit of " + base::FormatSize(bounds.limits.memory_bytes) + " reached"
                                              : std::string("memory limit reached"));
      break;
    case launch::EndCause::kShimError:
      outcome.state = JobState::kLost;
      outcome.reason = ShimDied();
      outcome.reason.text = "its shim failed";
      if (record.step != launch::Step::kNone) {
        const Reason what = StartFailed(launch::StepText(record.step), record.step_errno);
        outcome.reason.text += ": " + what.text;
        outcome.reason.step = what.step;
        outcome.reason.errno_name = what.errno_name;
      }
      return outcome;
  }
  if (record.exit.kind == base::ExitStatus::Kind::kExited) {
    outcome.exit_code = record.exit.value;
  } else {
    outcome.signal = record.exit.value;
  }
  return outcome;
}

JobRow WithRecord(JobRow row, const launch::SlotRecord& record) {
  row.started_at = record.started_at;
  row.ended_at = record.ended_at;
  row.usage = Usage{.user_cpu = static_cast<base::Nanos>(record.user_cpu_us) * 1000,
                    .system_cpu = static_cast<base::Nanos>(record.system_cpu_us) * 1000,
                    .wall = record.wall,
                    .peak_memory = record.peak_memory,
                    .read_bytes = record.read_bytes,
                    .written_bytes = record.written_bytes,
                    .voluntary_switches = record.voluntary_switches,
                    .involuntary_switches = record.involuntary_switches};
  row.stdout_bytes = record.stdout_bytes;
  row.stderr_bytes = record.stderr_bytes;
  row.dropped_bytes = record.dropped_bytes;
  return row;
}

Reason CancelledByUser(const std::string& by, const std::string& detail) {
  Reason reason{.code = ReasonCode::kCancelledByUser, .text = "cancelled", .by = by, .detail = detail};
  if (!by.empty()) reason.text += " by " + by;
  if (!detail.empty()) reason.text += ": " + detail;
  return reason;
}

Reason CancelledByStop(const std::string& by) {
  Reason reason = Words(ReasonCode::kCancelledByStop, "cancelled: the service was stopped");
  if (!by.empty()) reason.text += " by " + by;
  reason.by = by;
  return reason;
}

Reason FailFast(uint32_t index) {
  return Words(ReasonCode::kFailFast, "cancelled: job " + std::to_string(index) + " of its batch did not succeed");
}

Reason ShimDied() { return Words(ReasonCode::kShimDied, "its shim was killed"); }

Reason HostRestarted() { return Words(ReasonCode::kHostRestarted, "the machine restarted while it ran"); }

Reason RecordDamaged() { return Words(ReasonCode::kRecordDamaged, "its exit record cannot be read"); }

Reason RecordMissing() {
  return Words(ReasonCode::kRecordDamaged,
               "its exit record is missing: the log folder was unmounted, emptied or replaced, or its disk lost it, while it ran");
}

Reason Refused(const std::string& text) {
  return Words(ReasonCode::kRefused, text.empty() ? std::string("refused by policy") : text);
}

Reason StartFailed(std::string_view step, int errno_value, const Bounds& as) {
  const std::string why = base::ErrnoText(errno_value);
  std::string text = std::string(step) + ": " + why;
  if (step == launch::StepText(launch::Step::kExec) && !as.program.empty()) text = ProgramFailed(as.program, errno_value, why);
  if (step == launch::StepText(launch::Step::kWorkdir) && !as.workdir.empty()) {
    text = "working directory " + Shown(as.workdir) + ": " + why;
  }
  Reason reason = Words(ReasonCode::kStartFailed, std::move(text));
  reason.step = step;
  reason.errno_name = base::ErrnoName(errno_value);
  return reason;
}

}  // namespace jobd::worker
