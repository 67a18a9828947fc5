// Standard error, which must not hold up whoever logs there: a pipe that nobody reads, a terminal that was stopped.
#pragma once

#include <string_view>

#include "base/fd.h"

namespace jobd::logging {

// Not thread-safe. Others that write to the same pipe or terminal are not changed by it.
class StandardError {
 public:
  // `fd`: borrowed.
  explicit StandardError(int fd);

  // Takes a line, or does not: then nothing was written. Does not wait, but where it is a file. A line that is larger than a pipe
  // takes at once may be cut; the next one begins on a line of its own.
  bool Put(std::string_view line);

 private:
  // What write(2) or send(2) says.
  long Write(std::string_view bytes) const;

  const int fd_;
  base::Fd own_;  // the same pipe or terminal, opened anew: so that only our writes do not wait
  bool is_socket_ = false;
  bool is_file_ = false;
  bool torn_ = false;
};

}  // namespace jobd::logging
