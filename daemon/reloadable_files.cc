#include "daemon/reloadable_files.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/files.h"
#include "config/setting.h"

namespace jobd::daemon {

ReloadableFiles::ReloadableFiles(Configuration initial, Read read, MakePolicy make_policy, const base::Fd& metrics)
    : read_(std::move(read)),
      make_policy_(std::move(make_policy)),
      metrics_(metrics),
      in_force_{.configuration = std::move(initial), .revision = last_revision_} {}

launch::Files ReloadableFiles::GiveSet(const Set& set, std::vector<base::Fd>& fds) const {
  launch::Files files{.names = set.configuration.names, .error = {}, .capabilities = {}, .revision = set.revision};
  const auto refuse = [&fds](const base::Error& error) {
    fds.clear();
    return launch::Files{.names = {}, .error = error.message(), .capabilities = {}, .revision = 0};
  };
  for (const base::Fd& file : set.configuration.fds) {
    // Opened anew: a duplicate would share its position with every server that was given it before.
    auto again = base::OpenAt(AT_FDCWD, "/proc/self/fd/" + std::to_string(file.get()), O_RDONLY);
    if (!again.ok()) return refuse(again.error());
    fds.push_back(*std::move(again));
  }
  if (!metrics_) return files;
  base::Fd shared(::fcntl(metrics_.get(), F_DUPFD_CLOEXEC, 0));
  if (!shared) return refuse(base::SysError("handing over the socket of metrics", errno));
  files.names.emplace_back("metrics");
  fds.push_back(std::move(shared));
  return files;
}

launch::PreparedFiles ReloadableFiles::Prepare() {
  prepared_.reset();
  launch::PreparedFiles prepared;
  auto configuration = read_();
  if (!configuration.ok()) {
    prepared.files.error = configuration.error().message();
    return prepared;
  }
  // The server goes on with the old values of what needs a restart, and so must the policy.
  for (const config::Setting& setting : config::Settings()) {
    if (setting.reloadable) continue;
    const base::Status kept = setting.read(configuration->config, setting.show(in_force_.configuration.config));
    if (!kept.ok()) {
      prepared.files.error = std::string(setting.key) + ": " + kept.error().message();
      return prepared;
    }
  }
  Set set{.configuration = *std::move(configuration), .revision = ++last_revision_};
  prepared.files = GiveSet(set, prepared.fds);
  if (!prepared.files.error.empty()) return prepared;
  prepared.policy = make_policy_(set.configuration);
  prepared_ = std::move(set);
  return prepared;
}

void ReloadableFiles::Commit() {
  in_force_ = *std::move(prepared_);
  prepared_.reset();
}

}  // namespace jobd::daemon
