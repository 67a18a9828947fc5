// The configuration and the files that it names, as they are in force, and those that a reload may put in their place: the bytes
// that were checked, which jobd-server is given too, whatever becomes of the files on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "daemon/configuration.h"
#include "launch/contract/frames.h"
#include "launch/launcher/launcher.h"

namespace jobd::daemon {

// Not thread-safe.
class ReloadableFiles {
 public:
  using Read = std::function<base::Result<Configuration>()>;
  using MakePolicy = std::function<launch::Policy(const Configuration&)>;

  // `initial` is in force. `metrics` is a socket that goes with the files, if it is open; borrowed, and outlives us.
  ReloadableFiles(Configuration initial, Read read, MakePolicy make_policy, const base::Fd& metrics);

  // Those in force. Each call opens them anew, positioned at their beginnings.
  launch::Files Give(std::vector<base::Fd>& fds) const { return GiveSet(in_force_, fds); }
  // As LauncherHooks has them.
  launch::PreparedFiles Prepare();
  void Commit();
  void Drop() { prepared_.reset(); }

  const Configuration& in_force() const { return in_force_.configuration; }

 private:
  struct Set {
    Configuration configuration;
    uint64_t revision = 0;
  };

  launch::Files GiveSet(const Set& set, std::vector<base::Fd>& fds) const;

  const Read read_;
  const MakePolicy make_policy_;
  const base::Fd& metrics_;
  Set in_force_;  // of settings that need a restart it has the values of the start
  std::optional<Set> prepared_;
  uint64_t last_revision_ = 1;
};

}  // namespace jobd::daemon
