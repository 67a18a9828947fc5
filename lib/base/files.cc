#include "base/files.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

namespace jobd::base {

Result<Fd> OpenAt(int dir, const std::string& name, int flags, mode_t mode) {
  const int fd = ::openat(dir, name.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return SysError("opening " + name, errno);
  return Fd(fd);
}

Result<Fd> OpenBeneath(int dir, const std::string& name, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  const long fd = ::syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how);
  if (fd < 0) return SysError("opening " + name, errno);
  return Fd(static_cast<int>(fd));
}

Result<std::string> ReadAll(int fd, size_t limit) {
  std::string data;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SysError("reading", errno);
    if (n == 0) return data;
    if (data.size() + static_cast<size_t>(n) > limit) {
      return Error(Code::kResourceExhausted, "larger than " + std::to_string(limit) + " bytes");
    }
    data.append(buffer.data(), static_cast<size_t>(n));
  }
}

Result<std::string> ReadFile(int dir, const std::string& name, size_t limit) {
  JOBD_ASSIGN_OR_RETURN(const Fd fd, OpenAt(dir, name, O_RDONLY));
  auto data = ReadAll(fd.get(), limit);
  if (!data.ok()) return std::move(data).error().WithContext(name);
  return data;
}

Status WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SysError("writing", errno);
    data.remove_prefix(static_cast<size_t>(n));
  }
  return Ok();
}

Status PwriteAll(int fd, std::span<const std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SysError("writing", errno);
    data = data.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return Ok();
}

Result<size_t> PreadUpTo(int fd, std::span<std::byte> data, uint64_t offset) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::pread(fd, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SysError("reading", errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Status ReplaceFile(int dir, const std::string& name, std::string_view data, mode_t mode) {
  const std::string temporary = "." + name + ".new";
  JOBD_ASSIGN_OR_RETURN(const Fd fd, OpenAt(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  JOBD_RETURN_IF_ERROR(WriteAll(fd.get(), data));
  if (::fsync(fd.get()) != 0) return SysError("syncing " + name, errno);
  if (::renameat(dir, temporary.c_str(), dir, name.c_str()) != 0) return SysError("renaming " + name, errno);
  // The directory, so that the new name outlives a loss of power. Some file systems cannot; the rename still holds.
  if (::fsync(dir) != 0 && errno != EINVAL && errno != EBADF) return SysError("syncing the directory of " + name, errno);
  return Ok();
}

}  // namespace jobd::base
