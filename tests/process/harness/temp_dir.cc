#include "tests/process/harness/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace jobd::process_test {

TempDir::TempDir() : TempDir(testing::TempDir()) {}

TempDir::TempDir(const std::string& parent) : path_((std::filesystem::path(parent) / "jobd-process-XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr) std::abort();
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace jobd::process_test
