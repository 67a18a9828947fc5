// Files by descriptor: every name is opened relative to an open directory, close-on-exec, and follows no symbolic link of its
// last component unless said.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::base {

// openat(2) with O_CLOEXEC. `dir` is borrowed and may be AT_FDCWD. Errors read "opening NAME: …".
Result<Fd> OpenAt(int dir, const std::string& name, int flags, mode_t mode = 0);

// openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_XDEV: for names below a directory that others can write to.
Result<Fd> OpenBeneath(int dir, const std::string& name, int flags, mode_t mode = 0);

// All that is left to read from fd, at most `limit` bytes; more than that is kResourceExhausted.
Result<std::string> ReadAll(int fd, size_t limit);
// The whole file.
Result<std::string> ReadFile(int dir, const std::string& name, size_t limit = 64u << 20);

// Writes all of `data`, going on after EINTR and short writes.
Status WriteAll(int fd, std::string_view data);
Status PwriteAll(int fd, std::span<const std::byte> data, uint64_t offset);
// Reads up to data.size() bytes at offset; fewer only at the end of the file.
Result<size_t> PreadUpTo(int fd, std::span<std::byte> data, uint64_t offset);

// Replaces dir/name by `data` so that, whatever happens, one finds the old or the new content: a temporary file, fsync, rename,
// fsync of the directory.
Status ReplaceFile(int dir, const std::string& name, std::string_view data, mode_t mode);

}  // namespace jobd::base
