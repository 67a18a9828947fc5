#include "cli/view/terminal_filter.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace jobd::cli {

namespace {

constexpr std::string_view kBegin = "\033[";
constexpr std::string_view kParameters = "0123456789;:";
constexpr size_t kLongestSequence = 64;  // real ones have less than 30 bytes
constexpr std::string_view kReset = "\033[0m";

// The length of the SGR sequence at the beginning of `bytes`; 0: there is none. npos: there may be one, but it is not complete.
size_t SequenceLength(std::string_view bytes) {
  if (bytes.size() < kBegin.size()) return kBegin.starts_with(bytes) ? std::string_view::npos : 0;
  if (!bytes.starts_with(kBegin)) return 0;
  const size_t end = bytes.find_first_not_of(kParameters, kBegin.size());
  if (std::min(end, bytes.size()) >= kLongestSequence) return 0;
  if (end == std::string_view::npos) return end;
  return bytes[end] == 'm' ? end + 1 : 0;
}

// The number of bytes at the end of `bytes` that may begin a character or a sequence, which the next piece completes.
size_t UnfinishedTail(std::string_view bytes) {
  if (const size_t escape = bytes.rfind('\033');
      escape != std::string_view::npos && SequenceLength(bytes.substr(escape)) == std::string_view::npos) {
    return bytes.size() - escape;
  }
  constexpr size_t kLongestPart = 3;
  for (size_t length = 1; length <= kLongestPart && length <= bytes.size(); ++length) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - length]);
    if ((byte & 0xc0) == 0x80) continue;  // in the middle of a character
    const size_t whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return whole > length ? length : 0;
  }
  return 0;
}

}  // namespace

std::string TerminalFilter::Show(std::string_view bytes) {
  const std::string_view special = mode_ == Mode::kStream ? "\033\r\b" : "\033";
  std::string shown;
  while (!bytes.empty()) {
    const size_t plain = std::min(bytes.size(), bytes.find_first_of(special));
    shown += base::EscapeForTerminal(bytes.substr(0, plain), /*keep_lines=*/true);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const size_t length = bytes[0] == '\033' ? SequenceLength(bytes) : 1;
    if (length == 0 || length == std::string_view::npos) {
      shown += base::EscapeForTerminal(bytes.substr(0, 1));  // without its ESC the rest of a sequence is harmless text
      bytes.remove_prefix(1);
      continue;
    }
    const std::string_view passed = bytes.substr(0, length);
    shown += passed;
    if (length > 1) styled_ = passed != kReset && passed != "\033[m";
    bytes.remove_prefix(length);
  }
  return shown;
}

std::string TerminalFilter::Feed(std::string_view bytes) {
  std::string all = std::move(held_);
  all += bytes;
  const size_t tail = UnfinishedTail(all);
  held_ = all.substr(all.size() - tail);
  return Show(std::string_view(all).substr(0, all.size() - tail));
}

std::string TerminalFilter::Finish() {
  std::string rest = Show(std::exchange(held_, {}));
  if (std::exchange(styled_, false)) rest += kReset;
  return rest;
}

}  // namespace jobd::cli
