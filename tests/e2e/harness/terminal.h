// A program at a terminal of the test's own.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/e2e/harness/process.h"

namespace jobd::e2e {

// Like Process, but its three streams are one terminal, which is its controlling one. Killed with its group when destroyed.
class Terminal {
 public:
  // TERM is xterm unless the command's environment has another.
  explicit Terminal(const Command& command, unsigned short columns = 80, unsigned short rows = 24);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  pid_t pid() const { return pid_; }
  // As from a keyboard: "\3" is Ctrl-C.
  void Type(const std::string& keys) const;
  // Reads until `text` was printed behind all that an earlier WaitFor has found; false when the program or patience ended.
  bool WaitFor(const std::string& text, Seconds patience = kPatience);
  // Waits until anything more is printed.
  bool WaitForMore(Seconds patience = kPatience) { return Pump(std::chrono::steady_clock::now() + patience); }
  // Reads to the end. Its exit code as a shell shows it; 137 when patience ended and it was killed.
  int Finish(Seconds patience = kPatience);
  // All that it has printed, as it came: "\r\n" and escape sequences.
  const std::string& seen() const { return seen_; }
  // The same as a person sees it at the end, without colours: a line for each of the screen, without blanks behind it and without
  // empty lines at the end. Knows CR, LF, BS, "ESC [ K", "ESC [ J" and lines that are longer than the screen is wide.
  std::string Screen() const;

 private:
  bool Pump(std::chrono::steady_clock::time_point deadline);

  const unsigned short columns_;
  pid_t pid_ = -1;
  base::Fd master_;
  std::string seen_;
  size_t found_ = 0;
};

}  // namespace jobd::e2e
