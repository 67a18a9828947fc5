// Bytes that a person will see.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace jobd::base {

// `bytes` with control characters (C0 but tab and newline when keep_lines, DEL, C1), invalid UTF-8 and characters that reorder text
// written as \xNN or \u{NNNN}, so that a terminal shows them instead of obeying them.
std::string EscapeForTerminal(std::string_view bytes, bool keep_lines = false);

// True when `bytes` is well-formed UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF.
bool IsValidUtf8(std::string_view bytes);

// "0aff…", lower case.
std::string Hex(std::span<const std::byte> bytes);

// True for a correlation ID, or the name of an owner, a profile or an account: [A-Za-z0-9_][A-Za-z0-9._:-]{0,127}. Such a text is
// safe as a file name.
bool IsSafeName(std::string_view text);

}  // namespace jobd::base
