// Lines that fit a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jobd::cli {

// `text` with lines that are wider than `width` columns broken at a blank, so that no word is cut by the terminal, and no command
// (": jobctl status ID"). What follows is indented as the line is, or, in a list of names and what they are, as the latter. A word
// that is wider stays whole. 0: no limit.
std::string Wrapped(std::string_view text, size_t width);

}  // namespace jobd::cli
