// A seccomp filter as a decision tree over system call numbers: the kernel runs about eight instructions for a call, and verifies
// and compiles few when the filter is installed, which is the price of each job.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace jobd::sandbox {

// The fate of a system call.
struct Verdict {
  enum class Kind : uint8_t {
    kAllow,
    kErrno,         // refused with `error`
    kFlagsAbsent,   // allowed when no bit of `values[0]` is set in the low half of argument `argument`, else refused
    kBitsAbsentIf,  // as kFlagsAbsent, but only where a bit of `values[1]` is set in argument `condition`
    kValueAbsent,   // allowed when the low half of the argument is none of `values`
    kValuePresent,  // allowed when it is one of them
  };
  Kind kind = Kind::kErrno;
  uint16_t error = 0;
  uint8_t argument = 0;  // 0..5
  std::vector<uint32_t> values{};
  uint8_t condition = 0;  // 0..5
  bool operator==(const Verdict&) const = default;
};

// Verdicts for the numbers 0, 1, 2, …; every larger number, those of x32 included, gets ENOSYS, so that what the kernel learns
// later is not there. Calls of another architecture (32 bit) are refused with EPERM. At most 4096 instructions come out for a table
// of the kernel's size.
std::vector<sock_filter> CompileFilter(std::span<const Verdict> by_number);

}  // namespace jobd::sandbox
