// How a process ended, as a value.
#pragma once

#include <string>

namespace jobd::base {

struct ExitStatus {
  enum class Kind { kExited, kSignaled };
  Kind kind = Kind::kExited;
  int value = 0;  // the exit code 0..255, or the signal's number

  static ExitStatus FromWait(int wait_status);  // of waitpid(2), for a process that has ended
  static ExitStatus Exited(int code) { return {Kind::kExited, code}; }
  static ExitStatus Signaled(int signal) { return {Kind::kSignaled, signal}; }

  bool success() const { return kind == Kind::kExited && value == 0; }
  // As a shell shows it: the exit code, or 128 + the signal's number.
  int ShellCode() const { return kind == Kind::kExited ? value : 128 + value; }
  // "exit 3" or "SIGKILL".
  std::string ToString() const;
  bool operator==(const ExitStatus&) const = default;
};

}  // namespace jobd::base
