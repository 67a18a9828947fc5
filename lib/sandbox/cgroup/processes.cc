#include "sandbox/cgroup/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

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

}  // namespace

base::Result<std::optional<std::string>> ReadOfProcess(pid_t pid, const char* name, size_t limit) {
  auto text = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/" + name, limit);
  if (text.ok()) return std::optional(std::move(text).value());
  // More than `limit` has no errno.
  if (text.error().code() == base::Code::kResourceExhausted && text.error().sys_errno() != 0) return std::move(text).error();
  return std::optional<std::string>();
}

namespace {

// The number `skip` places behind the state in "pid (comm) state ppid pgrp …" of proc_pid_stat(5).
base::Result<std::optional<pid_t>> StatOf(pid_t pid, int skip) {
  JOBD_ASSIGN_OR_RETURN(const auto stat, ReadOfProcess(pid, "stat", 4096));
  if (!stat) return std::optional<pid_t>();
  // comm may hold anything: the last ')' ends it.
  const size_t close = stat->rfind(')');
  if (close == std::string::npos || close + 4 >= stat->size()) return std::optional<pid_t>();
  std::string_view rest = std::string_view(*stat).substr(close + 4);
  for (; skip > 0; --skip) rest.remove_prefix(std::min(rest.size(), rest.find(' ') + 1));
  pid_t number = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), number).ec != std::errc()) return std::optional<pid_t>();
  return std::optional(number);
}

}  // namespace

base::Result<std::optional<pid_t>> ParentOf(pid_t pid) { return StatOf(pid, 0); }
base::Result<std::optional<pid_t>> ProcessGroupOf(pid_t pid) { return StatOf(pid, 1); }

base::Result<std::optional<ProcessStat>> StatOfProcess(pid_t pid) {
  JOBD_ASSIGN_OR_RETURN(const auto stat, ReadOfProcess(pid, "stat", 4096));
  if (!stat) return std::optional<ProcessStat>();
  const size_t close = stat->rfind(')');
  if (close == std::string::npos) return std::optional<ProcessStat>();
  // "state ppid pgrp session …": the start is the 20th of these.
  std::istringstream fields(stat->substr(close + 1));
  ProcessStat read;
  std::string skipped;
  fields >> read.state >> skipped >> skipped >> read.session;
  for (int i = 5; i < 20; ++i) fields >> skipped;
  fields >> read.started;
  return fields ? std::optional(read) : std::optional<ProcessStat>();
}

bool WaitsForDisk(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  for (std::filesystem::directory_iterator it(tasks, error), end; !error && it != end; it.increment(error)) {
    const auto stat = base::ReadFile(AT_FDCWD, it->path().string() + "/stat", 4096);
    if (!stat.ok()) continue;
    const size_t close = stat->rfind(')');
    if (close != std::string::npos && close + 2 < stat->size() && (*stat)[close + 2] == 'D') return true;
  }
  return false;
}

base::Result<std::optional<uid_t>> UidOf(pid_t pid) {
  JOBD_ASSIGN_OR_RETURN(const auto status, ReadOfProcess(pid, "status", 64 * 1024));
  if (!status) return std::optional<uid_t>();
  // "Uid:\t1000\t…" (proc(5)).
  const size_t at = status->find("\nUid:\t");
  if (at == std::string::npos) return std::optional<uid_t>();
  uid_t uid = 0;
  const char* begin = status->data() + at + 6;
  if (std::from_chars(begin, status->data() + status->size(), uid).ec != std::errc()) return std::optional<uid_t>();
  return std::optional(uid);
}

base::Result<bool> IsNamedShim(pid_t pid) {
  JOBD_ASSIGN_OR_RETURN(const auto stat, ReadOfProcess(pid, "stat", 4096));
  // "pid (jobd-shim) Z" is one that is dead.
  const std::string shim = std::to_string(pid) + " (jobd-shim) ";
  return stat && stat->starts_with(shim) && stat->size() > shim.size() && (*stat)[shim.size()] != 'Z';
}

base::Result<std::unordered_map<pid_t, pid_t>> ParentsOfAll() {
  std::unordered_map<pid_t, pid_t> parents;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  if (!proc) return base::SysError("listing the processes", errno);
  for (errno = 0; const dirent* entry = ::readdir(proc.get()); errno = 0) {
    const auto pid = ParsePid(entry->d_name);
    if (!pid) continue;
    JOBD_ASSIGN_OR_RETURN(const auto parent, ParentOf(*pid));
    if (parent) parents.emplace(*pid, *parent);
  }
  if (errno != 0) return base::SysError("listing the processes", errno);
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

base::Result<bool> SignalIfStill(pid_t pid, int signal, const std::function<base::Result<bool>(pid_t)>& is_meant) {
  const base::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd && errno != ESRCH && errno != EINVAL) return base::SysError("taking hold of a process", errno);
  if (!pidfd) return false;
  JOBD_ASSIGN_OR_RETURN(const bool meant, is_meant(pid));
  if (!meant) return false;
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  return base::SysError("signalling a process", errno);
}

}  // namespace jobd::sandbox
