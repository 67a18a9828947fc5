#include "sandbox/cgroup/control_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/files.h"

namespace jobd::sandbox {

base::Status WriteControl(int dir, const std::string& file, std::string_view text) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd fd, base::OpenAt(dir, file, O_WRONLY));
  if (::write(fd.get(), text.data(), text.size()) < 0) return base::SysError("writing " + file, errno);
  return base::Ok();
}

base::Result<std::string> ReadControl(int dir, const std::string& file) { return base::ReadFile(dir, file, 64 * 1024); }

std::optional<uint64_t> KeyedNumber(std::string_view content, std::string_view key) {
  while (!content.empty()) {
    const size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return PlainNumber(line.substr(key.size() + 1));
    if (end == std::string_view::npos) break;
    content.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::optional<uint64_t> PlainNumber(std::string_view content) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(content.data(), content.data() + content.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

base::Result<base::Fd> MakeGroupDir(int dir, const std::string& name, bool must_be_new) {
  if (::mkdirat(dir, name.c_str(), 0755) != 0) {
    if (errno != EEXIST) return base::SysError("making cgroup " + name, errno);
    if (must_be_new) return base::Error(base::Code::kAlreadyExists, "cgroup " + name + " is there already").WithErrno(EEXIST);
  }
  return OpenGroupDir(dir, name);
}

base::Result<base::Fd> OpenGroupDir(int dir, const std::string& name) {
  return base::OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace jobd::sandbox
