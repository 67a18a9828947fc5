// A process that writes lines to a file, so that whoever has them need not wait for its disk.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::logging {

// Not thread-safe, and to be started in processes with one thread. The process ends when it has written all that it got before this
// was destroyed, or before our own end.
class LogWriter {
 public:
  LogWriter() = default;
  ~LogWriter() { Leave(0); }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Writes to `file` (borrowed), which is open.
  base::Status Start(int file);
  // Opens `path`, or makes it, and gives it to `uid` and `gid` if it belongs to somebody else. What was started before goes on with
  // what it has. On an error, and when the disk does not answer within 100 ms, it stays in use.
  base::Status StartAnew(const std::string& path, uid_t uid, gid_t gid);

  // Takes a line whole, or not: the disk hangs, or the process is gone (gone()).
  bool Put(std::string_view line);
  bool gone() const { return !socket_; }
  // Lets it go when it has written all, which is waited for so long.
  void Leave(int milliseconds);

 private:
  struct Started {
    base::Fd socket;
    pid_t pid = 0;
  };
  template <typename Open>
  base::Result<Started> Fork(int keep, Open open);
  void Take(Started started);

  base::Fd socket_;
  pid_t pid_ = 0;
  std::vector<pid_t> leaving_;  // still to be reaped
};

}  // namespace jobd::logging
