// Tables for people.
#pragma once

#include <string>
#include <vector>

#include "cli/view/output.h"

namespace jobd::cli {

struct Cell {
  std::string text;  // as it came; escaped when printed
  Color color = Color::kNone;
  bool right = false;      // numbers stand at the right of their column
  std::string brief = {};  // shown instead, in the whole column, where the line does not fit; such columns are not cut
};

// Collects rows and prints them aligned, with two spaces between the columns and none at a line's end. Widths count characters as
// the terminal does (wide CJK characters and combining marks included). Not thread-safe.
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // As many cells as the header has.
  void Add(std::vector<Cell> row);
  // That column counts as half as wide as it is when columns are cut: it says more than the others.
  void Favour(size_t column) { favoured_ = column; }
  size_t rows() const { return rows_.size(); }

  // `max_width` > 0: where the line does not fit, brief texts are shown, and then the widest column is cut, with an ellipsis, until
  // it fits, so that several wide ones share what there is; but no column below 12, or below 8 if that is not enough. Where even
  // that is too wide, the last columns are cut further, or left away. The first is never cut.
  std::string ToString(bool color, size_t max_width) const;

 private:
  static const std::string& TextOf(const Cell& cell, bool brief);
  size_t WidthOf(size_t column, bool brief) const;
  // Cuts `widths` until they fit, as ToString says; columns that are left away are taken off its end.
  void Fit(std::vector<size_t>& widths, const std::vector<bool>& whole, size_t max_width) const;

  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
  size_t favoured_ = 0;  // the first column: none
};

// How many columns of a terminal the escaped text takes.
size_t DisplayWidth(std::string_view text);
// `text` cut to at most `width` columns, ending in "…" when something was cut off.
std::string Ellipsize(std::string_view text, size_t width);

}  // namespace jobd::cli
