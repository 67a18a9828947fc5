// Makes the output of a job safe for a terminal, as it streams by.
#pragma once

#include <string>
#include <string_view>

namespace jobd::cli {

// Shows escape sequences, other control characters, invalid UTF-8 and characters that reorder text as \xNN or \u{NNNN}; keeps
// newlines and tabs; turns CR LF into a newline. One per stream, since a character may come in two pieces. Not thread-safe.
class TerminalFilter {
 public:
  // Returns as much of the stream as can be shown by now and was not returned before.
  std::string Feed(std::string_view bytes);
  // Returns the rest, when the stream has ended.
  std::string Finish();

 private:
  std::string held_;  // the beginning of a character or a CR that may belong to a line's end; at most 3 bytes
};

}  // namespace jobd::cli
