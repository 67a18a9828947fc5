// errno as text: the one place that turns a number into words.
#pragma once

#include <string>
#include <string_view>

namespace jobd::base {

// "No such file or directory". Thread-safe.
std::string ErrnoText(int errno_value);

// "ENOENT"; "E#1234" for a number the C library has no name for.
std::string ErrnoName(int errno_value);

// "SIGTERM" for 15, "SIGRTMIN+2" for a real-time signal, "signal 99" for what is none.
std::string SignalName(int signal_number);

// 15 for "SIGTERM", "TERM", "term" or "15"; 0 when it names no signal of 1..64.
int SignalNumber(std::string_view name);

}  // namespace jobd::base
