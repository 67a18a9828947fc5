// The exit codes of jobctl, and the words for the end of a job.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::v1 {
class JobResult;
}

namespace jobd::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoSuch = 3;              // there is no such batch or job
inline constexpr int kExitNotAllowed = 4;          // jobd does not let the caller do it
inline constexpr int kExitServiceStopped = 3;      // `admin status`
inline constexpr int kExitServiceUnreachable = 4;  // `admin status`
inline constexpr int kExitTimedOut = 124;
inline constexpr int kExitFailed = 125;  // jobd or jobctl failed; also for a job whose end is not known
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignalBase = 128;
inline constexpr int kExitInterrupted = 130;  // by Ctrl-C
inline constexpr int kExitBrokenPipe = 141;   // 128 + SIGPIPE, as a shell shows it

// The exit code a shell would show for a job that ended so: its own exit code, 128 + the signal's number, 124 timed out, 137 out of
// memory, 143 cancelled, 126/127 for a program that cannot be executed or was not found, 125 when jobd failed. For a job that has
// not ended, and for an end that cannot be (an exit code of 256, signal 128, success without exit 0): 125.
int ExitCodeOf(const v1::JobResult& result);

// The exit code of several jobs: the largest of theirs. Jobs that were cancelled only because another one of their batch failed do
// not count beside that one.
class LargestExitCode {
 public:
  void Add(const v1::JobResult& result);
  // 0 as long as no job was added.
  int code() const { return of_causes_ == kExitOk ? of_consequences_ : of_causes_; }

 private:
  int of_causes_ = kExitOk;
  int of_consequences_ = kExitOk;
};

// How a job ended, in a few words for a person, escaped for a terminal: "exit 3", "SIGKILL", "timed out (ran past 10s)".
std::string Describe(const v1::JobResult& result);

// The same as the end of a sentence: "ended: exit 3", "did not start: ./build.sh: Permission denied".
// `never`: it was ended before it started.
std::string Ending(const v1::JobResult& result, bool never = false);

// The exit code for an error: 2 for wrong usage, whoever finds it. Then, of verbs whose code is not that of jobs (`of_jobs`), 3
// when there is no such batch or job, and 4 when jobd does not allow it. Else 125.
int ExitCodeOf(const base::Error& error, bool of_jobs = true);

}  // namespace jobd::cli
