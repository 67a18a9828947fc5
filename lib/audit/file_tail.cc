#include "audit/file_tail.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/files.h"

namespace jobd::audit {

base::Result<FileTail> ReadFileTail(int fd, const std::string& name) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return base::SysError("looking at " + name, errno);
  const auto size = static_cast<uint64_t>(about.st_size);
  std::string bytes;
  // Usually the first look is enough; each further one is twice as long.
  for (uint64_t want = 16 << 10;; want *= 2) {
    bytes.resize(std::min<uint64_t>(want, size));
    JOBD_ASSIGN_OR_RETURN(const size_t got, base::PreadUpTo(fd, std::as_writable_bytes(std::span(bytes)), size - bytes.size()));
    if (got < bytes.size()) return base::Error(base::Code::kDataLoss, name + ": became shorter while it was read");
    FileTail tail;
    const bool all = bytes.size() == size;
    const size_t last = bytes.rfind('\n');
    const size_t before = last == std::string::npos || last == 0 ? std::string::npos : bytes.rfind('\n', last - 1);
    if (before != std::string::npos || (all && last != std::string::npos)) {
      const size_t begin = before == std::string::npos ? 0 : before + 1;
      tail.last_line = bytes.substr(begin, last - begin);
      tail.torn = bytes.substr(last + 1);
      tail.whole_bytes = size - tail.torn.size();
      return tail;
    }
    if (all && size <= kMaxTailBytes) {
      tail.torn = std::move(bytes);
      return tail;
    }
    if (all || want >= kMaxTailBytes) {
      return base::Error(base::Code::kDataLoss, name + ": its last " + std::to_string(want) + " bytes hold no whole line");
    }
  }
}

}  // namespace jobd::audit
