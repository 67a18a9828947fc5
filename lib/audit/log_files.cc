#include "audit/log_files.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "base/fd.h"
#include "base/files.h"

namespace jobd::audit {

namespace {

bool BelongsTo(std::string_view file, std::string_view name) {
  if (!file.starts_with(name)) return false;
  const std::string_view rest = file.substr(name.size());
  if (rest.empty()) return true;
  if (rest.size() < 2 || (rest[0] != '.' && rest[0] != '-')) return false;
  for (const std::string_view ending : {".gz", ".xz", ".zst", ".bz2", ".new"}) {
    if (rest.ends_with(ending)) return false;
  }
  return true;
}

}  // namespace

std::string RotatedName(const std::string& name, uint64_t last_seq) {
  std::array<char, 32> number;
  std::snprintf(number.data(), number.size(), ".%020llu", static_cast<unsigned long long>(last_seq));
  return name + number.data();
}

base::Result<std::vector<std::string>> LogFiles(int dir, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(base::Fd own, base::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(own.get()), ::closedir);
  if (!entries) return base::SysError("reading the folder of " + name, errno);
  (void)own.release();
  std::vector<std::string> files;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (BelongsTo(entry->d_name, name)) files.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) return base::SysError("reading the folder of " + name, errno);
  std::sort(files.begin(), files.end());
  // It sorts first, being the beginning of all others.
  if (!files.empty() && files.front() == name) std::rotate(files.begin(), files.begin() + 1, files.end());
  return files;
}

}  // namespace jobd::audit
