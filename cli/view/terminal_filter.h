// Makes the output of a job safe for a terminal, as it streams by.
#pragma once

#include <string>
#include <string_view>

namespace jobd::cli {

// Lets colours and the like pass (SGR sequences, "ESC [ 1;31 m"), CR and BS, newlines and tabs: so progress bars work. Shows other
// escape sequences and control characters, invalid UTF-8 and characters that reorder text as \xNN or \u{NNNN}. One per stream,
// since a character or a sequence may come in two pieces. Not thread-safe.
class TerminalFilter {
 public:
  // With kLines, for lines behind a prefix, CR and BS are shown: a job could overwrite the prefix by them.
  enum class Mode { kStream, kLines };
  explicit TerminalFilter(Mode mode = Mode::kStream) : mode_(mode) {}

  // Returns as much of the stream as can be shown by now and was not returned before.
  std::string Feed(std::string_view bytes);
  // Returns the rest, when the stream or the line has ended, and ends colours that are still on.
  std::string Finish();

 private:
  std::string Show(std::string_view bytes);

  const Mode mode_;
  std::string held_;     // the beginning of a character or of a sequence; some bytes at most
  bool styled_ = false;  // a sequence has passed that none has ended
};

}  // namespace jobd::cli
