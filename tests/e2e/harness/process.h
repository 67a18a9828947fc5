// Programs as a test starts them: their own descriptors, a deadline, and an end for certain.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/exit_status.h"
#include "base/fd.h"

namespace jobd::e2e {

using Seconds = std::chrono::seconds;
inline constexpr Seconds kPatience{60};

struct Command {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;  // besides PATH and HOME, unless these are given
  std::string input;                                     // of standard input
  std::string directory;                                 // to start in; empty: the test's
};

struct Output {
  base::ExitStatus status;
  std::string out;
  std::string err;
  // The exit code as a shell would show it.
  int code() const { return status.ShellCode(); }
};

// A running program. Killed and reaped when destroyed. Not thread-safe.
class Process {
 public:
  explicit Process(const Command& command);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Reads standard output until it holds `text`; false when it ended or patience did. What was read stays for Finish.
  bool WaitForOutput(const std::string& text, Seconds patience = kPatience);
  bool WaitForError(const std::string& text, Seconds patience = kPatience);
  // Everything, up to the end. When patience ends the program is killed, and the status says SIGKILL.
  Output Finish(Seconds patience = kPatience);
  // What was read so far.
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  // Waits for output on either stream and reads it. False at the end of both or at the deadline.
  bool Pump(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  base::Fd pidfd_;
  base::Fd in_;
  base::Fd out_pipe_;
  base::Fd err_pipe_;
  std::string input_;
  std::string out_;
  std::string err_;
};

Output RunCommand(const Command& command, Seconds patience = kPatience);

// True as soon as `condition` holds; false when patience ends first.
template <typename Condition>
bool WaitUntil(Condition condition, Seconds patience = kPatience);

// Lets a few milliseconds pass between two looks at a condition nothing can wake us for.
void Breathe();

template <typename Condition>
bool WaitUntil(Condition condition, Seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    Breathe();
  }
  return true;
}

}  // namespace jobd::e2e
