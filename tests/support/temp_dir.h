// A folder of a test's own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/fd.h"

namespace jobd::test {

// Made when constructed, removed with all that is in it when destroyed. Aborts the test when it cannot be made.
class TempDir {
 public:
  // Everybody may walk to it, so that jobs of other accounts can. Without a parent it is where TMPDIR says, else in /tmp.
  explicit TempDir(const std::string& parent = "", mode_t mode = 0755);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return std::filesystem::path(path_) / name; }
  // The folder `name` below it, made if need be.
  base::Fd Open(const std::string& name = ".") const;

 private:
  std::string path_;
};

}  // namespace jobd::test
