// Prints the output of jobs: byte for byte, or line by line with a prefix.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cli/view/output.h"
#include "cli/view/terminal_filter.h"

namespace jobd::cli {

struct LogFormat {
  bool prefix = false;      // "3| " before each line
  bool timestamps = false;  // before each line, when its first byte arrived: RFC 3339, local
  bool raw = false;         // bytes exact even on a terminal
  bool color = false;       // colours in prefixes
  bool merge_into_stdout = false;
  std::string label;  // before the job's number: "nightly/3| "
};

// Without prefix and timestamps, bytes go out as they come; only for a terminal TerminalFilter stands between. With them, each
// line is written whole, so that lines of different jobs and streams never mix; a last line without a newline gets one. A line
// over 1 MiB is written in pieces. Not thread-safe; the streams are borrowed and must outlive this object.
class LogPrinter {
 public:
  enum class Stream { kStdout, kStderr };

  LogPrinter(LogFormat format, OutputStream& out, OutputStream& err);

  // `time` is nanoseconds since 1970. False when the output cannot be written any more.
  bool Print(uint32_t index, Stream stream, int64_t time, std::string_view bytes);
  // Writes the output of the job that is held back. Call it when nothing more will come.
  bool Finish(uint32_t index);
  bool FinishAll();

 private:
  struct Lane {  // one stream of one job
    TerminalFilter filter;
    std::string partial;  // a line without its newline yet
    int64_t partial_since = 0;
  };
  using Key = std::pair<uint32_t, Stream>;

  bool by_line() const { return format_.prefix || format_.timestamps; }
  OutputStream& Target(Stream stream);
  bool filtered(Stream stream) { return !format_.raw && Target(stream).is_terminal(); }
  std::string Prefix(const Key& key, int64_t time) const;
  bool PrintLines(const Key& key, Lane& lane, int64_t time, std::string_view bytes);
  bool FinishLane(const Key& key, Lane& lane);

  LogFormat format_;
  OutputStream& out_;
  OutputStream& err_;
  std::map<Key, Lane> lanes_;
};

}  // namespace jobd::cli
