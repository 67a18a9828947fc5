// Where jobctl writes: data to standard output, talk to standard error.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::cli {

// A stream of the process. Writes at once, without a buffer, so that output is seen as soon as a job prints it. Thread-safe; lines
// of several threads do not mix where write(2) takes each whole. The descriptor is borrowed. After the first failure nothing more
// is written and status() tells why: the caller ends with a non-zero code, since a full disk must not look like success.
class OutputStream {
 public:
  explicit OutputStream(int fd);

  // Writes all of it; waits where the descriptor is non-blocking and full. False when this or an earlier write failed.
  bool Write(std::string_view bytes);

  bool ok() const { return errno_ == 0; }
  // The reader has gone (EPIPE).
  bool broken_pipe() const;
  // For who notices, before a write does, that the reader has gone.
  void ReaderGone();
  // "writing to standard output: No space left on device".
  base::Status status() const;
  bool is_terminal() const { return is_terminal_; }
  int fd() const { return fd_; }

 private:
  int fd_;
  bool is_terminal_;
  std::atomic<int> errno_ = 0;
};

// The columns of the terminal at `fd`; 80 when that is unknown.
size_t TerminalWidth(int fd);

enum class Color { kNone, kRed, kGreen, kYellow, kBlue, kGray, kBold };
// `text` in a colour, for a terminal.
std::string Colored(std::string_view text, Color color);

}  // namespace jobd::cli
