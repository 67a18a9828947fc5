#include "server/ops/reloader.h"

#include "server/auth/access.h"
#include "server/auth/tls_material.h"

namespace jobd::server {
namespace {

// The settings as they will be: of those that cannot change while running, the old ones. Both lists are the same keys in one order.
std::vector<config::SettingValue> Merge(const config::LoadedConfig& old, const config::LoadedConfig& fresh, ReloadReport& report) {
  std::vector<config::SettingValue> merged = fresh.settings;
  for (size_t i = 0; i < merged.size() && i < old.settings.size(); ++i) {
    if (merged[i].value == old.settings[i].value) continue;
    (merged[i].reloadable ? report.changed : report.needs_restart).push_back(merged[i].key);
    if (!merged[i].reloadable) merged[i] = old.settings[i];
  }
  return merged;
}

}  // namespace

Reloader::Reloader(FileSource source, std::string config_name, config::Overrides overrides, FileSet initial,
                   const base::Clock& clock, Targets targets)
    : source_(std::move(source)),
      config_name_(std::move(config_name)),
      overrides_(std::move(overrides)),
      clock_(clock),
      targets_(std::move(targets)),
      current_(std::move(initial)),
      config_(current_.Lock()->config) {}

std::shared_ptr<const config::LoadedConfig> Reloader::config() const { return *config_.Lock(); }

base::Result<ReloadReport> Reloader::Reload() {
  const auto current = current_.Lock();
  auto report = Replace(*current);
  if (report.ok()) return report;
  // One code for every fault of the files: the request is not at fault, and the text is for the administrator.
  return base::Error(base::Code::kFailedPrecondition, "nothing was changed: " + report.error().message());
}

base::Result<ReloadReport> Reloader::Replace(FileSet& current) {
  JOBD_ASSIGN_OR_RETURN(FileContents contents, source_());
  JOBD_ASSIGN_OR_RETURN(FileSet fresh, CheckFiles(std::move(contents), config_name_, overrides_, clock_.Realtime()));
  ReloadReport report;
  config::LoadedConfig merged{.config = fresh.config->config, .settings = Merge(*current.config, *fresh.config, report)};
  merged.revision = config::RevisionOf(merged.settings);
  report.revision = merged.revision;

  const TlsMaterial& old_tls = *current.tls;
  const bool tls_changed =
      fresh.tls->pem.ca != old_tls.pem.ca || fresh.tls->pem.cert != old_tls.pem.cert || fresh.tls->pem.key != old_tls.pem.key;
  if (tls_changed) {
    targets_.tls.Swap(fresh.tls);
    if (const base::Status checked = targets_.handshake(*fresh.tls); !checked.ok()) {
      targets_.tls.Swap(current.tls);
      return checked.error();
    }
    report.changed.emplace_back("tls");
  } else {
    fresh.tls = current.tls;
  }
  if (fresh.rules->users.all() != current.rules->users.all()) report.changed.emplace_back("users");
  targets_.access.Replace(fresh.rules);
  targets_.apply(fresh.config->config, fresh.rules->users, fresh.capabilities);
  fresh.config = std::make_shared<const config::LoadedConfig>(std::move(merged));
  current = std::move(fresh);
  *config_.Lock() = current.config;
  return report;
}

}  // namespace jobd::server
