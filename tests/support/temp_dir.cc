#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <system_error>

namespace jobd::test {

namespace fs = std::filesystem;

TempDir::TempDir(const std::string& parent, mode_t mode)
    : path_(((parent.empty() ? fs::temp_directory_path() : fs::path(parent)) / "jobd-test-XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr || ::chmod(path_.c_str(), mode) != 0) std::abort();
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

base::Fd TempDir::Open(const std::string& name) const {
  fs::create_directories(*this / name);
  return base::Fd(::open((*this / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace jobd::test
