// The end of a file of lines that may have been cut by a crash.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace jobd::audit {

struct FileTail {
  uint64_t whole_bytes = 0;  // up to and with the last line feed
  std::string last_line;     // that ends there, without it; empty when there is none
  std::string torn;          // what comes behind it
};

// kDataLoss when more than kMaxTailBytes hold no line feed: this is no file of lines. `name` is for errors.
inline constexpr size_t kMaxTailBytes = 4u << 20;
base::Result<FileTail> ReadFileTail(int fd, const std::string& name);

}  // namespace jobd::audit
