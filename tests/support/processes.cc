#include "tests/support/processes.h"

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/files.h"

namespace jobd::test {

namespace {

// A file of /proc; empty when the process is gone.
std::string OfProcess(const std::string& process, const char* name) {
  auto text = base::ReadFile(AT_FDCWD, "/proc/" + process + "/" + name);
  return text.ok() ? *std::move(text) : std::string();
}

template <typename Look>
void ForProcesses(Look look) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) look(entry.path().filename().string());
}

}  // namespace

bool ProcessLives(pid_t pid) {
  const std::string stat = OfProcess(std::to_string(pid), "stat");
  const size_t paren = stat.rfind(')');
  return paren != std::string::npos && stat.size() > paren + 2 && stat[paren + 2] != 'Z' && stat[paren + 2] != 'X';
}

std::vector<pid_t> ChildrenNamed(pid_t parent, const std::string& name) {
  std::vector<pid_t> found;
  ForProcesses([&](const std::string& process) {
    const std::string status = OfProcess(process, "status");
    if (status.starts_with("Name:\t" + name + "\n") &&
        status.find("\nPPid:\t" + std::to_string(parent) + "\n") != std::string::npos) {
      found.push_back(std::atoi(process.c_str()));
    }
  });
  return found;
}

bool AnyProcessRuns(const std::string& path) {
  bool any = false;
  ForProcesses([&](const std::string& process) {
    const std::string command = OfProcess(process, "cmdline");
    any = any || command.substr(0, command.find('\0')) == path;
  });
  return any;
}

}  // namespace jobd::test
