// Puts a new set of files in force while the service runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "server/ops/file_set.h"

namespace jobd::server {

class AccessControl;
class TlsState;

struct ReloadReport {
  std::vector<std::string> changed;        // keys now in force; "tls" and "users" for the files they name
  std::vector<std::string> needs_restart;  // keys that differ and cannot change while running
  std::string revision;
  std::vector<std::string> warnings;  // what was taken and is to be seen to all the same; a line each
};

// Thread-safe; one reload at a time.
class Reloader {
 public:
  // What it steers, all of which outlives it. `handshake` proves that a client can still connect; `apply` takes the settings that
  // can change while running, and must not fail.
  struct Targets {
    AccessControl& access;
    TlsState& tls;
    std::function<base::Status(const TlsMaterial&)> handshake;
    std::function<void(const config::Config&, const config::Users&, const launch::Capabilities&)> apply;
  };
  Reloader(FileSource source, std::string config_name, config::Overrides overrides, FileSet initial, const base::Clock& clock,
           Targets targets);

  // Reads, checks, and swaps. Blocks: the launcher is asked, and a handshake made; when that fails, the old certificates are put
  // back and nothing else is changed. Certificates that would lock out somebody who is in are taken with `force` alone (see
  // CheckTlsChange). kFailedPrecondition, for administrators, says what is wrong; nothing was replaced then.
  base::Result<ReloadReport> Reload(bool force);

  // What is to be seen to of what is in force, with what is so now; a line each.
  std::vector<std::string> Warnings() const;

  // In force. Settings that need a restart have the values of the start.
  std::shared_ptr<const config::LoadedConfig> config() const;

 private:
  base::Result<ReloadReport> Replace(FileSet& current, bool force);

  const FileSource source_;
  const std::string config_name_;
  const config::Overrides overrides_;
  const base::Clock& clock_;
  const Targets targets_;
  base::Guarded<FileSet> current_;               // locked throughout a reload
  std::shared_ptr<const TlsMaterial> unforced_;  // what was in force before somebody forced another; of who has locked current_
  base::Guarded<std::shared_ptr<const config::LoadedConfig>> config_;
  base::Guarded<std::vector<std::string>> warnings_;  // of the files in force
};

}  // namespace jobd::server
