#include "cli/view/terminal_filter.h"

#include "base/text.h"

namespace jobd::cli {

namespace {

// The number of bytes at the end of `bytes` that may begin a character or a line's end, which the next piece completes.
size_t UnfinishedTail(std::string_view bytes) {
  if (bytes.ends_with('\r')) return 1;
  constexpr size_t kLongestPart = 3;
  for (size_t length = 1; length <= kLongestPart && length <= bytes.size(); ++length) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - length]);
    if ((byte & 0xc0) == 0x80) continue;  // in the middle of a character
    const size_t whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return whole > length ? length : 0;
  }
  return 0;
}

std::string Show(std::string_view bytes) {
  std::string shown;
  while (!bytes.empty()) {
    const size_t line_end = bytes.find("\r\n");
    shown += base::EscapeForTerminal(bytes.substr(0, line_end), /*keep_lines=*/true);
    if (line_end == std::string_view::npos) break;
    shown += '\n';
    bytes.remove_prefix(line_end + 2);
  }
  return shown;
}

}  // namespace

std::string TerminalFilter::Feed(std::string_view bytes) {
  std::string all = std::move(held_);
  all += bytes;
  const size_t tail = UnfinishedTail(all);
  held_ = all.substr(all.size() - tail);
  return Show(std::string_view(all).substr(0, all.size() - tail));
}

std::string TerminalFilter::Finish() {
  const std::string rest = std::move(held_);
  held_.clear();
  return Show(rest);
}

}  // namespace jobd::cli
