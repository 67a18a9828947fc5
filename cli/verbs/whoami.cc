// jobctl whoami: the caller as jobd sees them.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "base/text.h"
#include "base/units.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/proto_time.h"
#include "cli/view/time_text.h"
#include "jobd/v1/auth_service.pb.h"

namespace jobd::cli {

namespace {

using Json = nlohmann::ordered_json;

Json TimeOrNull(bool has, const google::protobuf::Timestamp& time) {
  return has ? Json(Rfc3339(FromTimestamp(time))) : Json(nullptr);
}

template <typename Texts>
Json ListOf(const Texts& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

// Names and units of the users file; 0: no bound.
std::vector<std::pair<const char*, uint64_t>> Sizes(const v1::JobMaxima& limits) {
  return {{"memory", limits.memory()},     {"output", limits.output()},   {"file_size", limits.file_size()},
          {"tmp_size", limits.tmp_size()}, {"io_read", limits.io_read()}, {"io_write", limits.io_write()},
          {"core", limits.core()}};
}

Json ToJson(const v1::WhoAmIResponse& who) {
  Json limits = Json::object();
  for (const auto& [name, bytes] : Sizes(who.limits())) limits[name] = bytes;
  limits["cpu_millis"] = who.limits().cpu_millis();
  limits["pids"] = who.limits().pids();
  limits["open_files"] = who.limits().open_files();
  limits["timeout_ns"] = FromDuration(who.limits().timeout());
  return {{"name", who.name()},
          {"role", who.role()},
          {"max_role", who.max_role()},
          {"caller", who.caller()},
          {"host", who.host()},
          {"session", who.session()},
          {"auth_time", TimeOrNull(who.has_auth_time(), who.auth_time())},
          {"expires_at", TimeOrNull(who.has_expires_at(), who.expires_at())},
          {"session_expires_at", TimeOrNull(who.has_session_expires_at(), who.session_expires_at())},
          {"certificate_expires_at", TimeOrNull(who.has_certificate_expires_at(), who.certificate_expires_at())},
          {"x5t#S256", who.x5t_s256()},
          {"grants",
           {{"profiles", ListOf(who.grants().profiles())},
            {"run_as", ListOf(who.grants().run_as())},
            {"workdirs", ListOf(who.grants().workdirs())}}},
          {"limits", std::move(limits)},
          {"quota",
           {{"max_queued", who.quota().max_queued()},
            {"max_running", who.quota().max_running()},
            {"kept_max_age_ns", FromDuration(who.quota().kept_max_age())},
            {"kept_max_bytes", who.quota().kept_max_bytes()},
            {"kept_max_batches", who.quota().kept_max_batches()}}},
          {"use",
           {{"queued", who.use().queued()},
            {"running", who.use().running()},
            {"batches", who.use().batches()},
            {"kept_batches", who.use().kept_batches()},
            {"kept_bytes", who.use().kept_bytes()}}}};
}

template <typename Texts>
std::string Joined(const Texts& texts, const char* none) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + text;
  return list.empty() ? none : list;
}

std::string OfMost(uint64_t used, uint64_t most) { return std::to_string(used) + (most == 0 ? "" : " of " + std::to_string(most)); }

std::string ToText(const v1::WhoAmIResponse& who, base::Nanos now) {
  std::string text = base::EscapeForTerminal(who.name() + " (" + who.role() + ")") + "\n";
  const auto line = [&](const std::string& name, const std::string& value) {
    text += name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + base::EscapeForTerminal(value) + "\n";
  };
  const auto until = [&](const google::protobuf::Timestamp& time) { return AbsoluteTime(FromTimestamp(time)); };
  const std::string by = who.caller() == "host" ? "of the host " + who.host() + ", at most " + who.max_role() : "your own";
  line("Certificate", by + ", until " + until(who.certificate_expires_at()));
  if (!who.session().empty()) {
    line("Session", who.session() + ", logged in " + RelativeTime(FromTimestamp(who.auth_time()), now) + ", until " +
                        until(who.session_expires_at()) + " at most");
    line("Token", "until " + until(who.expires_at()));
  }
  line("Profiles", Joined(who.grants().profiles(), "all that need no grant"));
  line("Runs as", Joined(who.grants().run_as(), "the service's choice"));
  if (who.grants().workdirs_size() > 0) line("Works in", Joined(who.grants().workdirs(), ""));
  std::string limits;
  const auto limit = [&](const std::string& name, const std::string& value) {
    limits += (limits.empty() ? "" : ", ") + name + " " + value;
  };
  for (const auto& [name, bytes] : Sizes(who.limits())) {
    if (bytes != 0) limit(name, base::FormatSize(bytes));
  }
  if (who.limits().cpu_millis() != 0) limit("cpus", std::to_string(who.limits().cpu_millis()) + "m");
  if (who.limits().pids() != 0) limit("pids", std::to_string(who.limits().pids()));
  if (who.limits().open_files() != 0) limit("open_files", std::to_string(who.limits().open_files()));
  if (const base::Nanos timeout = FromDuration(who.limits().timeout()); timeout != 0)
    limit("timeout", base::FormatDuration(timeout));
  if (!limits.empty()) line("A job has", "at most " + limits);
  line("Running", OfMost(who.use().running(), who.quota().max_running()));
  line("Queued", OfMost(who.use().queued(), who.quota().max_queued()));
  const bool one = who.use().kept_batches() == 1 && who.quota().kept_max_batches() == 0;
  std::string kept = OfMost(who.use().kept_batches(), who.quota().kept_max_batches()) + (one ? " batch, " : " batches, ") +
                     base::FormatSize(who.use().kept_bytes());
  if (who.quota().kept_max_bytes() != 0) kept += " of " + base::FormatSize(who.quota().kept_max_bytes());
  line("Kept", kept);
  return text;
}

int Whoami(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::WhoAmIResponse response;
  if (auto status = (*client)->WhoAmI(&response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson(ToJson(response));
  } else if (session.format() == OutputFormat::kName) {
    session.PrintLine(base::EscapeForTerminal(response.name()));
  } else {
    session.out().Write(ToText(response, session.Now()));
  }
  return 0;
}

}  // namespace

void AddWhoami(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("whoami", "Show who you are to jobd, what you may ask for, and what you have");
  app->callback([&invocation] { invocation.action = Whoami; });
}

}  // namespace jobd::cli
