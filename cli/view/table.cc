#include "cli/view/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"

namespace jobd::cli {

namespace {

constexpr std::array<size_t, 2> kNarrowest = {12, 8};
constexpr size_t kGap = 2;

// Takes a code point off the front of well-formed UTF-8.
uint32_t TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = std::min<size_t>(text.size(), first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1);
  uint32_t code = length == 1 ? first : first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  text.remove_prefix(length);
  return code;
}

// The usual ranges of Unicode's East Asian Width and combining marks. wcwidth(3) would need a locale to be set.
size_t Columns(uint32_t c) {
  if ((c >= 0x300 && c <= 0x36f) || (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f))
    return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
                    (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                    (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += Columns(TakeCodePoint(text));
  return width;
}

std::string Ellipsize(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string cut;
  size_t used = 0;
  while (!text.empty()) {
    std::string_view rest = text;
    used += Columns(TakeCodePoint(rest));
    if (used + 1 > width) break;
    cut += text.substr(0, text.size() - rest.size());
    text = rest;
  }
  return cut + "…";
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {}

void Table::Add(std::vector<Cell> row) {
  for (Cell& cell : row) {
    cell.text = base::EscapeForTerminal(cell.text);
    cell.brief = base::EscapeForTerminal(cell.brief);
  }
  rows_.push_back(std::move(row));
}

size_t Table::WidthOf(size_t column, bool brief) const {
  size_t width = DisplayWidth(header_[column]);
  for (const auto& row : rows_) width = std::max(width, DisplayWidth(TextOf(row[column], brief)));
  return width;
}

const std::string& Table::TextOf(const Cell& cell, bool brief) { return brief && !cell.brief.empty() ? cell.brief : cell.text; }

void Table::Fit(std::vector<size_t>& widths, const std::vector<bool>& whole, size_t max_width) const {
  size_t total = kGap * (widths.size() - 1);
  for (const size_t width : widths) total += width;
  for (const size_t narrowest : kNarrowest) {
    // The column that counts as the widest is cut to what the next one counts; then both are, and so on.
    const auto counts = [&](size_t i) { return i == favoured_ ? widths[i] / 2 : widths[i]; };
    const auto may_be_cut = [&](size_t i) { return i > 0 && !whole[i] && widths[i] > narrowest; };
    while (total > max_width) {
      size_t widest = 0;
      size_t next = 0;
      for (size_t i = 1; i < widths.size(); ++i) {
        if (!may_be_cut(i)) continue;
        if (widest == 0 || counts(i) > counts(widest)) {
          next = widest;
          widest = i;
        } else if (next == 0 || counts(i) > counts(next)) {
          next = i;
        }
      }
      if (widest == 0) break;
      const size_t level = next == 0 ? 0 : counts(next) * (widest == favoured_ ? 2 : 1);
      const size_t lowest = std::max(std::min(level, widths[widest] - 1), narrowest);
      const size_t cut = std::min(total - max_width, widths[widest] - lowest);
      widths[widest] -= cut;
      total -= cut;
    }
  }
  constexpr size_t kWorthShowing = 4;
  while (total > max_width && widths.size() > 1) {
    const size_t last = widths.size() - 1;
    const size_t over = total - max_width;
    const bool text = !whole[last] && !(rows_.empty() || rows_[0][last].right);
    if (text && widths[last] >= over + kWorthShowing) {
      widths[last] -= over;
      return;
    }
    total -= widths[last] + kGap;
    widths.pop_back();
  }
}

std::string Table::ToString(bool color, size_t max_width) const {
  std::vector<size_t> widths;
  size_t total = kGap * (header_.size() - 1);
  for (size_t i = 0; i < header_.size(); ++i) {
    widths.push_back(WidthOf(i, false));
    total += widths.back();
  }
  const bool brief = max_width > 0 && total > max_width;
  // IDs and numbers are there to be copied.
  std::vector<bool> whole(header_.size(), false);
  whole[0] = true;
  for (size_t i = 0; brief && i < header_.size(); ++i) {
    for (const auto& row : rows_) whole[i] = whole[i] || !row[i].brief.empty();
    total -= widths[i];
    total += widths[i] = WidthOf(i, true);
  }
  if (brief) Fit(widths, whole, max_width);
  std::string out;
  const auto print = [&](size_t column, const Cell& cell, Color shade) {
    const std::string text = Ellipsize(TextOf(cell, brief), widths[column]);
    const std::string padding(widths[column] - DisplayWidth(text), ' ');
    const bool last = column + 1 == widths.size();
    if (cell.right) out += padding;
    out += color ? Colored(text, shade) : text;
    if (!cell.right && !last) out += padding;
    if (last) {
      while (out.ends_with(' ')) out.pop_back();
      out += '\n';
    } else {
      out.append(kGap, ' ');
    }
  };
  for (size_t i = 0; i < widths.size(); ++i) {
    const bool right = !rows_.empty() && rows_[0][i].right;
    print(i, {header_[i], Color::kBold, right}, Color::kBold);
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < widths.size(); ++i) print(i, row[i], row[i].color);
  }
  return out;
}

}  // namespace jobd::cli
