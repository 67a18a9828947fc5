#include "cli/view/admin_view.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "cli/view/proto_time.h"
#include "cli/view/states.h"
#include "cli/view/time_text.h"

namespace jobd::cli {

namespace {

Color ServiceColor(v1::ServiceState state) {
  switch (state) {
    case v1::SERVICE_STATE_RUNNING: return Color::kGreen;
    case v1::SERVICE_STATE_DRAINING: return Color::kYellow;
    default: return Color::kRed;
  }
}

std::string DiskText(const v1::Disk& disk) {
  const std::string text = base::FormatSize(disk.free_bytes()) + " of " + base::FormatSize(disk.total_bytes()) + " free";
  return disk.accepting() ? text : text + ": " + base::EscapeForTerminal(disk.problem()) + ", takes no new work";
}

std::string Counted(uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string KeptText(const v1::Kept& kept) {
  std::string text = Counted(kept.batches(), "batch", "batches") + " ended, " + base::FormatSize(kept.bytes());
  std::string rule;
  const auto add = [&rule](const std::string& part) { rule += (rule.empty() ? "; kept: " : ", ") + part; };
  if (kept.rule().has_max_age()) add("for " + base::ExactDuration(FromDuration(kept.rule().max_age())));
  if (kept.rule().max_bytes() > 0) add("at most " + base::FormatSize(kept.rule().max_bytes()));
  if (kept.rule().max_batches() > 0) add("at most " + Counted(kept.rule().max_batches(), "batch", "batches"));
  text += rule.empty() ? "; kept: all" : rule;
  if (kept.own_rules() > 0) text += "; " + Counted(kept.own_rules(), "user has", "users have") + " other rules";
  if (kept.undeletable() > 0) text += "; " + Counted(kept.undeletable(), "batch", "batches") + " cannot be deleted";
  return text;
}

std::string CertificateText(const v1::GetStatusResponse& status, base::Nanos now) {
  const base::Nanos expires = FromTimestamp(status.certificate_expires_at());
  const std::string date = AbsoluteTime(expires);
  return expires <= now ? "expired " + date : "until " + date + " (" + base::FormatDuration(expires - now) + ")";
}

}  // namespace

std::string ServiceStateName(v1::ServiceState state) {
  switch (state) {
    case v1::SERVICE_STATE_RUNNING: return "RUNNING";
    case v1::SERVICE_STATE_DRAINING: return "DRAINING";
    case v1::SERVICE_STATE_STOPPED: return "STOPPED";
    default: return "UNKNOWN";
  }
}

std::string ServiceStatusText(const v1::GetStatusResponse& status, base::Nanos now, bool color) {
  std::string text;
  const auto line = [&text](const std::string& name, const std::string& value) {
    constexpr size_t kColumn = 14;
    const std::string shown = base::EscapeForTerminal(name);
    text += shown + std::string(kColumn - std::min(kColumn - 1, DisplayWidth(shown)), ' ') + value + "\n";
  };
  const auto shown = [](const std::string& value) { return base::EscapeForTerminal(value); };
  const std::string state = ServiceStateName(status.state());
  std::string made;
  if (status.state() != v1::SERVICE_STATE_RUNNING) {
    if (!status.state_by().empty()) made += " by " + shown(status.state_by());
    if (status.has_state_since()) made += " since " + AbsoluteTime(FromTimestamp(status.state_since()));
  }
  line("State", (color ? Colored(state, ServiceColor(status.state())) : state) + made);
  for (const std::string& warning : status.warnings()) {
    line("Warning", color ? Colored(shown(warning), Color::kYellow) : shown(warning));
  }
  line("Version", shown(status.version()));
  std::string up = base::FormatDuration(FromDuration(status.uptime()));
  if (status.server_restarts() > 0) up += ", server restarted " + std::to_string(status.server_restarts()) + " times";
  line("Up", up);
  line("Jobs", std::to_string(status.running()) + " running of " + std::to_string(status.slots()) + " slots, " +
                   std::to_string(status.queued()) + " queued");
  std::string finished;
  for (const v1::StateCount& count : status.finished()) {
    if (count.count() == 0) continue;
    finished += (finished.empty() ? "" : ", ") + std::to_string(count.count()) + " " + StateName(count.state());
  }
  if (!finished.empty()) line("Finished", finished);
  for (const v1::Disk& disk : status.disks()) line("Disk " + disk.name(), DiskText(disk));
  if (status.has_kept()) line("Kept", KeptText(status.kept()));
  if (status.has_certificate_expires_at()) line("Certificate", CertificateText(status, now));
  line("Config", shown(status.config_revision().substr(0, 12)));
  if (!status.isolation().empty()) text += "Isolation\n";
  for (const v1::Isolation& part : status.isolation()) {
    const std::string word = part.available() ? "yes" : "NO";
    text += "  " + (color ? Colored(word, part.available() ? Color::kGreen : Color::kYellow) : word) +
            std::string(5 - word.size(), ' ');
    text += shown(part.name()) + (part.detail().empty() ? "" : ": " + shown(part.detail())) + "\n";
  }
  return text;
}

Json ServiceStatusToJson(const v1::GetStatusResponse& status) {
  Json finished = Json::object();
  for (const v1::StateCount& count : status.finished()) finished[StateName(count.state())] = count.count();
  Json disks = Json::array();
  for (const v1::Disk& disk : status.disks()) {
    disks.push_back({{"name", disk.name()},
                     {"free_bytes", disk.free_bytes()},
                     {"total_bytes", disk.total_bytes()},
                     {"accepting", disk.accepting()},
                     {"problem", disk.problem()}});
  }
  Json isolation = Json::array();
  for (const v1::Isolation& part : status.isolation()) {
    isolation.push_back({{"name", part.name()}, {"available", part.available()}, {"detail", part.detail()}});
  }
  const v1::Retention& rule = status.kept().rule();
  const Json kept = {{"batches", status.kept().batches()},
                     {"bytes", status.kept().bytes()},
                     {"max_age", static_cast<double>(FromDuration(rule.max_age())) / 1e9},
                     {"max_bytes", rule.max_bytes()},
                     {"max_batches", rule.max_batches()},
                     {"own_rules", status.kept().own_rules()},
                     {"undeletable", status.kept().undeletable()}};
  Json warnings = Json::array();
  for (const std::string& warning : status.warnings()) warnings.push_back(warning);
  return {
      {"state", ServiceStateName(status.state())},
      {"state_by", status.state_by().empty() ? Json(nullptr) : Json(status.state_by())},
      {"state_since", status.has_state_since() ? TimeToJson(status.state_since()) : Json(nullptr)},
      {"warnings", warnings},
      {"version", status.version()},
      {"started_at", status.has_started_at() ? TimeToJson(status.started_at()) : Json(nullptr)},
      {"uptime", static_cast<double>(FromDuration(status.uptime())) / 1e9},
      {"slots", status.slots()},
      {"running", status.running()},
      {"queued", status.queued()},
      {"finished", finished},
      {"disks", disks},
      {"kept", kept},
      {"certificate_expires_at", status.has_certificate_expires_at() ? TimeToJson(status.certificate_expires_at()) : Json(nullptr)},
      {"isolation", isolation},
      {"server_restarts", status.server_restarts()},
      {"config_revision", status.config_revision()}};
}

Table ConfigTable(const v1::GetConfigResponse& config) {
  Table table({"KEY", "VALUE", "ORIGIN"});
  for (const v1::Setting& setting : config.settings()) table.Add({{setting.key()}, {setting.value()}, {setting.origin()}});
  return table;
}

Json ConfigToJson(const v1::GetConfigResponse& config) {
  Json settings = Json::object();
  for (const v1::Setting& setting : config.settings())
    settings[setting.key()] = {{"value", setting.value()}, {"origin", setting.origin()}};
  return {{"settings", settings}, {"config_revision", config.config_revision()}};
}

}  // namespace jobd::cli
