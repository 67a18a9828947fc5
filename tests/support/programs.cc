#include "tests/support/programs.h"

#include <unistd.h>

#include <array>

namespace jobd::test {

bool IsInstalled(const std::string& program) {
  constexpr std::array kFolders{"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/"};
  for (const char* folder : kFolders) {
    if (::access((folder + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace jobd::test
