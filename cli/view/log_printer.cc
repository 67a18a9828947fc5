#include "cli/view/log_printer.h"

#include <array>

#include "cli/view/time_text.h"

namespace jobd::cli {

namespace {
constexpr size_t kLongestLine = size_t{1} << 20;
}

LogPrinter::LogPrinter(LogFormat format, OutputStream& out, OutputStream& err) : format_(format), out_(out), err_(err) {}

OutputStream& LogPrinter::Target(Stream stream) { return stream == Stream::kStderr && !format_.merge_into_stdout ? err_ : out_; }

std::string LogPrinter::Prefix(const Key& key, int64_t time) const {
  std::string text;
  if (format_.timestamps) text += Rfc3339Local(time) + " ";
  if (format_.prefix) {
    constexpr std::array kColors{Color::kBlue, Color::kGreen, Color::kYellow};
    const std::string number = format_.label + std::to_string(key.first) + "|";
    text += (format_.color ? Colored(number, kColors[key.first % kColors.size()]) : number) + " ";
  }
  return text;
}

bool LogPrinter::Print(uint32_t index, Stream stream, int64_t time, std::string_view bytes) {
  if (bytes.empty()) return Target(stream).ok();
  const bool filter = filtered(stream);
  if (!by_line() && !filter) return Target(stream).Write(bytes);  // the way of pipes: not a byte is copied
  const Key key{index, stream};
  Lane& lane = lanes_[key];
  if (by_line()) return PrintLines(key, lane, time, bytes);
  return Target(stream).Write(lane.filter.Feed(bytes));
}

bool LogPrinter::PrintLines(const Key& key, Lane& lane, int64_t time, std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    if (lane.partial.empty()) lane.partial_since = time;
    const size_t newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline);
    bytes.remove_prefix(newline == std::string_view::npos ? bytes.size() : newline + 1);
    lane.partial += line;
    const bool complete = newline != std::string_view::npos;
    if (!complete && lane.partial.size() < kLongestLine) break;
    std::string_view shown = lane.partial;
    const bool filter = filtered(key.second);
    if (filter && shown.ends_with('\r')) shown.remove_suffix(1);
    // Of a line that was written over and over, as progress bars are, what a terminal would show in the end.
    if (const size_t over = shown.rfind('\r'); filter && over != std::string_view::npos) shown.remove_prefix(over + 1);
    text += Prefix(key, lane.partial_since);
    if (filter) {
      TerminalFilter line_filter(TerminalFilter::Mode::kLines);
      text += line_filter.Feed(shown);
      text += line_filter.Finish();  // no colour runs on into the next prefix
    } else {
      text += shown;
    }
    text += '\n';
    lane.partial.clear();
  }
  return Target(key.second).Write(text);
}

bool LogPrinter::FinishLane(const Key& key, Lane& lane) {
  if (!lane.partial.empty()) return PrintLines(key, lane, lane.partial_since, "\n");
  return Target(key.second).Write(lane.filter.Finish());
}

bool LogPrinter::Finish(uint32_t index) {
  bool good = true;
  for (const Stream stream : {Stream::kStdout, Stream::kStderr}) {
    const auto lane = lanes_.find({index, stream});
    if (lane == lanes_.end()) continue;
    good = FinishLane(lane->first, lane->second) && good;
    lanes_.erase(lane);
  }
  return good;
}

bool LogPrinter::FinishAll() {
  bool good = true;
  for (auto& [key, lane] : lanes_) good = FinishLane(key, lane) && good;
  lanes_.clear();
  return good;
}

}  // namespace jobd::cli
