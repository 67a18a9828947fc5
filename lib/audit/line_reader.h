// A file, a line at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jobd::audit {

// Reads from the beginning with pread(2); `fd` is borrowed. Not thread-safe. Memory: twice kMaxLineBytes.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  enum class Got { kLine, kTorn, kTooLong, kEnd };
  // The next line, without its line feed, valid until the next call. kTorn: the last one, which has none. kTooLong: longer than
  // kMaxLineBytes; nothing more can be read.
  base::Result<Got> Next(std::string_view& line);

 private:
  int fd_;
  uint64_t offset_ = 0;  // in the file, of what follows in buffer_
  std::string buffer_;
  size_t place_ = 0;  // in buffer_
  bool end_ = false;  // buffer_ holds the last bytes
};

}  // namespace jobd::audit
