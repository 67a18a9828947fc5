// jobctl admin: run the service.
#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/admin_view.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "jobd/v1/admin_service.pb.h"

namespace jobd::cli {

namespace {

// Prints the state of the service after a change.
int PrintState(Session& session, v1::ServiceState state, const Json& more, const std::string& text) {
  if (session.json()) {
    Json json{{"state", ServiceStateName(state)}};
    json.update(more);
    session.PrintJson(json);
  } else if (!session.options().quiet) {
    session.PrintLine(ServiceStateName(state) + text);
  }
  return kExitOk;
}

int Start(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::StartResponse response;
  if (auto status = (*client)->Start(&response); !status.ok()) return session.Fail(status.error());
  return PrintState(session, response.state(), Json::object(), "");
}

int Stop(Session& session, bool now) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::StopRequest request;
  request.set_now(now);
  v1::StopResponse response;
  if (auto status = (*client)->Stop(request, &response); !status.ok()) return session.Fail(status.error());
  const std::string text = now ? ", " + std::to_string(response.cancelled()) + " jobs cancelled" : ", what runs goes on";
  return PrintState(session, response.state(), {{"cancelled", response.cancelled()}}, text);
}

int Drain(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::DrainResponse response;
  if (auto status = (*client)->Drain(&response); !status.ok()) return session.Fail(status.error());
  return PrintState(session, response.state(), Json::object(), "");
}

int ShowStatus(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::GetStatusResponse response;
  if (auto status = (*client)->GetStatus(&response); !status.ok()) {
    const bool unreachable =
        status.error().code() == base::Code::kUnavailable || status.error().code() == base::Code::kDeadlineExceeded;
    const int code = session.Fail(status.error());
    return unreachable ? kExitServiceUnreachable : code;
  }
  if (session.json()) {
    session.PrintJson(ServiceStatusToJson(response));
  } else if (session.format() == OutputFormat::kName) {
    session.PrintLine(ServiceStateName(response.state()));
  } else {
    session.out().Write(ServiceStatusText(response, session.Now(), session.Color(session.out())));
  }
  return response.state() == v1::SERVICE_STATE_STOPPED ? kExitServiceStopped : kExitOk;
}

int Reload(Session& session, bool force) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::ReloadRequest request;
  request.set_force(force);
  v1::ReloadResponse response;
  if (auto status = (*client)->Reload(request, &response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    Json json{{"changed", Json::array()},
              {"needs_restart", Json::array()},
              {"warnings", Json::array()},
              {"config_revision", response.config_revision()}};
    for (const std::string& warning : response.warnings()) json["warnings"].push_back(warning);
    for (const std::string& key : response.changed()) json["changed"].push_back(key);
    for (const std::string& key : response.needs_restart()) json["needs_restart"].push_back(key);
    session.PrintJson(json);
    return kExitOk;
  }
  for (const std::string& warning : response.warnings()) session.Say("warning: " + base::EscapeForTerminal(warning));
  if (session.options().quiet) return kExitOk;
  if (response.changed().empty() && response.needs_restart().empty()) session.PrintLine("read again; no setting changed");
  for (const std::string& key : response.changed()) session.PrintLine("changed: " + base::EscapeForTerminal(key));
  for (const std::string& key : response.needs_restart()) session.PrintLine("needs a restart: " + base::EscapeForTerminal(key));
  return kExitOk;
}

int ShowConfig(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::GetConfigResponse response;
  if (auto status = (*client)->GetConfig(&response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson(ConfigToJson(response));
  } else if (session.format() == OutputFormat::kName) {
    for (const v1::Setting& setting : response.settings()) session.PrintLine(base::EscapeForTerminal(setting.key()));
  } else {
    session.PrintTable(ConfigTable(response));
  }
  return kExitOk;
}

}  // namespace

void AddAdmin(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("admin", "Run the service: start, stop, drain, status, reload, sessions, config");
  app->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, int (*action)(Session&)) {
    CLI::App* verb = app->add_subcommand(name, help);
    verb->callback([action, &invocation] { invocation.action = action; });
    return verb;
  };
  add("start", "Take up new work and start what waits", Start);
  auto now = std::make_shared<bool>(false);
  CLI::App* stop = app->add_subcommand("stop", "Refuse new work and start none; what runs goes on");
  stop->footer("jobd stays, so that `admin start` reaches it.");
  stop->add_flag("--now", *now, "Cancel what runs and what waits, too");
  stop->callback([now, &invocation] { invocation.action = [now](Session& session) { return Stop(session, *now); }; });
  add("drain", "Refuse new work, do what was accepted, then stop", Drain);
  add("status", "Show the state of the service", ShowStatus)->footer("Exit code: 0 running or draining, 3 stopped, 4 unreachable.");
  auto force = std::make_shared<bool>(false);
  CLI::App* reload = app->add_subcommand("reload", "Read configuration, users and certificates again; a bad file replaces nothing");
  reload->footer(
      "Certificates that would lock out somebody who is in are refused: a server's for other names, an authority that has\n"
      "not signed a client's in use.");
  reload->add_flag("--force", *force, "Take such certificates, too");
  reload->callback([force, &invocation] { invocation.action = [force](Session& session) { return Reload(session, *force); }; });
  AddSessions(*app, invocation);
  add("config", "Show the settings in force and where they came from", ShowConfig);
}

}  // namespace jobd::cli
