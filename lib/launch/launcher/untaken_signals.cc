#include "launch/launcher/untaken_signals.h"

#include <fcntl.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "base/files.h"
#include "launch/shim/shim.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::launch {

bool HasUntaken(pid_t shim) {
  const auto status = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(shim) + "/status", 64 * 1024);
  if (!status.ok()) return false;
  // "ShdPnd:\t0000010000000000", a bit for each signal from 1 on (proc_pid_status(5)).
  constexpr std::string_view kName = "\nShdPnd:\t";
  const size_t at = status->find(kName);
  if (at == std::string::npos) return false;
  uint64_t pending = 0;
  const char* const begin = status->data() + at + kName.size();
  if (std::from_chars(begin, status->data() + status->size(), pending, 16).ec != std::errc()) return false;
  return (pending >> (kForwardSignal - 1) & 1) != 0;
}

bool HasJobEnded(pid_t shim) {
  const std::string number = std::to_string(shim);
  const auto text = base::ReadFile(AT_FDCWD, "/proc/" + number + "/task/" + number + "/children", 1u << 20);
  if (!text.ok()) return false;
  // Its first process leads a session, and is older than the job's others, which may have become children of the shim, too.
  std::optional<sandbox::ProcessStat> first;
  bool alone = true;
  std::istringstream children(*text);
  for (pid_t child = 0; children >> child;) {
    const auto stat = sandbox::StatOfProcess(child);
    if (!stat.ok()) return false;
    if (!*stat || (*stat)->session != child) continue;
    if (first) alone = alone && (*stat)->started != first->started;
    if (!first || (*stat)->started < first->started) first = **stat;
  }
  return first && alone && (first->state == 'Z' || first->state == 'X');
}

base::Status SignalJobOf(pid_t shim, sandbox::JobGroup& group, int signal) {
  const auto is_meant = [shim](pid_t pid) -> base::Result<bool> {
    JOBD_ASSIGN_OR_RETURN(const auto leader, sandbox::ProcessGroupOf(pid));
    if (!leader) return false;
    JOBD_ASSIGN_OR_RETURN(const auto parent, sandbox::ParentOf(*leader));
    return parent == shim;
  };
  std::set<pid_t> told;
  auto all = base::Ok();
  // Those that were forked while we looked are found by the next round; one that forks without end is not chased.
  for (int round = 0; round < 8; ++round) {
    bool found_new = false;
    JOBD_ASSIGN_OR_RETURN(const auto processes, group.Processes());
    for (const pid_t pid : processes) {
      if (!told.insert(pid).second) continue;
      found_new = true;
      if (auto sent = sandbox::SignalIfStill(pid, signal, is_meant); !sent.ok()) all = std::move(sent).error();
    }
    if (!found_new) break;
  }
  return all;
}

}  // namespace jobd::launch
