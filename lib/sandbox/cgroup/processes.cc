#include "sandbox/cgroup/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include "base/fd.h"
#include "base/files.h"

namespace jobd::sandbox {

namespace {

std::optional<pid_t> ParsePid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

// The number `skip` places behind the state in "pid (comm) state ppid pgrp …" of proc_pid_stat(5).
std::optional<pid_t> StatOf(pid_t pid, int skip) {
  const auto stat = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat.ok()) return std::nullopt;
  // comm may hold anything: the last ')' ends it.
  const size_t close = stat->rfind(')');
  if (close == std::string::npos || close + 4 >= stat->size()) return std::nullopt;
  std::string_view rest = std::string_view(*stat).substr(close + 4);
  for (; skip > 0; --skip) rest.remove_prefix(std::min(rest.size(), rest.find(' ') + 1));
  pid_t number = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<pid_t> ParentOf(pid_t pid) { return StatOf(pid, 0); }
std::optional<pid_t> ProcessGroupOf(pid_t pid) { return StatOf(pid, 1); }

std::optional<uid_t> UidOf(pid_t pid) {
  const auto status = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/status", 64 * 1024);
  if (!status.ok()) return std::nullopt;
  // "Uid:\t1000\t…" (proc(5)).
  const size_t at = status->find("\nUid:\t");
  if (at == std::string::npos) return std::nullopt;
  uid_t uid = 0;
  const char* begin = status->data() + at + 6;
  if (std::from_chars(begin, status->data() + status->size(), uid).ec != std::errc()) return std::nullopt;
  return uid;
}

std::unordered_map<pid_t, pid_t> ParentsOfAll() {
  std::unordered_map<pid_t, pid_t> parents;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  if (!proc) return parents;
  while (const dirent* entry = ::readdir(proc.get())) {
    const auto pid = ParsePid(entry->d_name);
    if (!pid) continue;
    if (const auto parent = ParentOf(*pid)) parents.emplace(*pid, *parent);
  }
  return parents;
}

std::vector<pid_t> DescendantsOf(pid_t root, const std::unordered_map<pid_t, pid_t>& parents) {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  for (const auto& [pid, parent] : parents) children[parent].push_back(pid);
  std::vector<pid_t> found;
  std::vector<pid_t> pending{root};
  while (!pending.empty()) {
    const pid_t parent = pending.back();
    pending.pop_back();
    const auto it = children.find(parent);
    if (it == children.end()) continue;
    for (const pid_t child : it->second) {
      found.push_back(child);
      pending.push_back(child);
    }
    children.erase(it);
  }
  return found;
}

bool SignalIfStill(pid_t pid, int signal, const std::function<bool(pid_t)>& is_meant) {
  const base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd || !is_meant(pid)) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace jobd::sandbox
