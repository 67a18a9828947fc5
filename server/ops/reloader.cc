#include "server/ops/reloader.h"

#include <functional>
#include <utility>

#include "config/setting.h"
#include "server/auth/access.h"
#include "server/auth/tls_change.h"
#include "server/auth/tls_material.h"

namespace jobd::server {
namespace {

// The configuration as it will be: of settings that cannot change while running, the old values. What is applied is this, so that
// nothing is said to need a restart that is in force at once. All lists are the same keys in one order.
base::Result<config::LoadedConfig> Merge(const config::LoadedConfig& old, const config::LoadedConfig& fresh, ReloadReport& report) {
  config::LoadedConfig merged{.config = fresh.config, .settings = fresh.settings};
  const auto& declared = config::Settings();
  for (size_t i = 0; i < merged.settings.size() && i < old.settings.size() && i < declared.size(); ++i) {
    config::SettingValue& setting = merged.settings[i];
    if (setting.value == old.settings[i].value) continue;
    (setting.reloadable ? report.changed : report.needs_restart).push_back(setting.key);
    if (setting.reloadable) continue;
    setting = old.settings[i];
    JOBD_RETURN_IF_ERROR(declared[i].read(merged.config, declared[i].show(old.config)));
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
      config_(current_.Lock()->config),
      warnings_(current_.Lock()->warnings) {}

std::shared_ptr<const config::LoadedConfig> Reloader::config() const { return *config_.Lock(); }

std::vector<std::string> Reloader::Warnings() const {
  std::vector<std::string> all = *warnings_.Lock();
  for (std::string& warning : TlsWarnings(*targets_.tls.Current(), clock_.Realtime())) all.push_back(std::move(warning));
  return all;
}

base::Result<ReloadReport> Reloader::Reload(bool force) {
  const auto current = current_.Lock();
  auto report = Replace(*current, force);
  if (report.ok()) return report;
  // One code for every fault of the files: the request is not at fault, and the text is for the administrator.
  return base::Error(base::Code::kFailedPrecondition, "nothing was changed: " + report.error().message());
}

base::Result<ReloadReport> Reloader::Replace(FileSet& current, bool force) {
  JOBD_ASSIGN_OR_RETURN(FileContents contents, source_());
  const std::function<base::Status()> commit = std::exchange(contents.commit, nullptr);
  JOBD_ASSIGN_OR_RETURN(FileSet fresh, CheckFiles(std::move(contents), config_name_, overrides_, clock_.Realtime()));
  ReloadReport report;
  JOBD_ASSIGN_OR_RETURN(config::LoadedConfig merged, Merge(*current.config, *fresh.config, report));
  merged.revision = config::RevisionOf(merged.settings);
  report.revision = merged.revision;

  const TlsMaterial& old_tls = *current.tls;
  const bool tls_changed = fresh.tls->pem != old_tls.pem;
  const auto put_back = [&] {
    targets_.tls.Swap(current.tls);
    targets_.access.Expect({});
  };
  bool forced = false;
  if (tls_changed) {
    const auto clients = targets_.access.KnownClients();
    auto kept = CheckTlsChange(old_tls, old_tls, *fresh.tls, clients, clock_.Realtime());
    // Back to what was in force before somebody forced another: nobody need be asked for that, but who has come in since.
    if (!kept.ok() && unforced_) {
      if (auto back = CheckTlsChange(*unforced_, old_tls, *fresh.tls, clients, clock_.Realtime()); back.ok())
        kept = std::move(back);
    }
    forced = !kept.ok();
    if (!kept.ok() && !force) {
      return base::Error(base::Code::kFailedPrecondition, "it takes `jobctl admin reload --force`, as " + kept.error().message());
    }
    if (!kept.ok()) report.warnings.push_back(kept.error().message());
    // First: a client that comes in by the new ones is looked at by the new ones, lest one that is revoked above it goes unseen.
    targets_.access.Expect(fresh.rules->ca);
    targets_.tls.Swap(fresh.tls);
    if (const base::Status checked = targets_.handshake(*fresh.tls); !checked.ok()) {
      put_back();
      return checked.error();
    }
  }
  // The launcher takes the same bytes, or nobody does. Whatever could refuse them has been asked by now.
  if (const base::Status taken = commit ? commit() : base::Ok(); !taken.ok()) {
    if (tls_changed) put_back();
    return taken.error();
  }
  if (tls_changed) {
    unforced_ = !forced ? nullptr : unforced_ ? unforced_ : current.tls;
    report.changed.emplace_back("tls");
  } else {
    fresh.tls = current.tls;
  }
  if (fresh.rules->users.all() != current.rules->users.all() || fresh.rules->users.hosts() != current.rules->users.hosts())
    report.changed.emplace_back("users");
  for (std::string& warning : fresh.Warnings(clock_.Realtime())) report.warnings.push_back(std::move(warning));
  targets_.access.Replace(fresh.rules);
  targets_.apply(merged.config, fresh.rules->users, fresh.capabilities);
  fresh.config = std::make_shared<const config::LoadedConfig>(std::move(merged));
  current = std::move(fresh);
  *config_.Lock() = current.config;
  *warnings_.Lock() = current.warnings;
  return report;
}

}  // namespace jobd::server
