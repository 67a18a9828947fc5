#include "base/errno_text.h"

#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>

namespace jobd::base {

std::string ErrnoText(int errno_value) {
  const char* text = strerrordesc_np(errno_value);
  return text != nullptr ? text : "error " + std::to_string(errno_value);
}

std::string ErrnoName(int errno_value) {
  const char* name = strerrorname_np(errno_value);
  return name != nullptr ? name : "E#" + std::to_string(errno_value);
}

std::string SignalName(int signal_number) {
  if (const char* name = sigabbrev_np(signal_number); name != nullptr) return std::string("SIG") + name;
  if (signal_number >= SIGRTMIN && signal_number <= SIGRTMAX) {
    const int offset = signal_number - SIGRTMIN;
    return offset == 0 ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(offset);
  }
  return "signal " + std::to_string(signal_number);
}

int SignalNumber(std::string_view name) {
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number >= 1 && number <= 64 ? number : 0;
  std::string upper;
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (!upper.starts_with("SIG")) upper.insert(0, "SIG");
  for (int candidate = 1; candidate <= 64; ++candidate) {
    if (SignalName(candidate) == upper) return candidate;
  }
  return 0;
}

}  // namespace jobd::base
