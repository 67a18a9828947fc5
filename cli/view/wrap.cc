#include "cli/view/wrap.h"

#include <algorithm>

#include "cli/view/table.h"

namespace jobd::cli {

namespace {

// Where the text of a line begins, or the second column of a list.
size_t IndentOf(std::string_view line, size_t width) {
  const size_t begin = std::min(line.size(), line.find_first_not_of(' '));
  const size_t gap = line.find("  ", begin);
  const size_t second = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  return second != std::string_view::npos && second < width * 2 / 3 ? second : begin;
}

// Whether the blank is within a command that a person may copy: behind ": jobctl", "`jobctl" or "or jobctl", up to what ends it.
bool IsInCommand(std::string_view line, size_t blank) {
  const std::string_view before = line.substr(0, blank);
  for (const std::string_view opening : {": jobctl", "`jobctl", "or jobctl"}) {
    const size_t begin = before.rfind(opening);
    if (begin != std::string_view::npos && before.find_first_of(",;`()", begin + opening.size()) == std::string_view::npos)
      return true;
  }
  return false;
}

// The end of what fits: a blank behind the indent. npos: the line fits, or there is nowhere to break it.
size_t BreakOf(std::string_view line, size_t indent, size_t width) {
  if (DisplayWidth(line) <= width) return std::string_view::npos;
  size_t found = std::string_view::npos;
  for (size_t blank = line.find(' ', indent); blank != std::string_view::npos; blank = line.find(' ', blank + 1)) {
    if ((blank > 0 && line[blank - 1] == ' ') || IsInCommand(line, blank)) continue;
    if (found != std::string_view::npos && DisplayWidth(line.substr(0, blank)) > width) break;
    if (line.find_first_not_of(' ', blank) == std::string_view::npos) break;
    if (blank > indent) found = blank;
  }
  return found;
}

}  // namespace

std::string Wrapped(std::string_view text, size_t width) {
  if (width == 0) return std::string(text);
  std::string wrapped;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    std::string line(text.substr(0, newline));
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    const size_t indent = IndentOf(line, width);
    for (size_t end = BreakOf(line, indent, width); end != std::string::npos; end = BreakOf(line, indent, width)) {
      wrapped += line.substr(0, end) + "\n";
      line = std::string(indent, ' ') + line.substr(line.find_first_not_of(' ', end));
    }
    wrapped += line;
    if (newline != std::string_view::npos) wrapped += '\n';
  }
  return wrapped;
}

}  // namespace jobd::cli
