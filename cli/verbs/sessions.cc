// jobctl admin sessions: who is logged in.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/proto_time.h"
#include "cli/view/table.h"
#include "cli/view/time_text.h"
#include "jobd/v1/admin_service.pb.h"

namespace jobd::cli {

namespace {

using Json = nlohmann::ordered_json;

int List(Session& session, const std::string& user) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::ListSessionsRequest request;
  request.set_user(user);
  v1::ListSessionsResponse response;
  if (auto status = (*client)->ListSessions(request, &response); !status.ok()) return session.Fail(status.error());
  Table table({"SESSION", "USER", "HOST", "MAX ROLE", "SINCE", "TOKEN ENDS", "ENDS AT MOST"});
  Json list = Json::array();
  const auto time = [&](const google::protobuf::Timestamp& at) {
    return session.wide() ? Rfc3339(FromTimestamp(at)) : AbsoluteTime(FromTimestamp(at));
  };
  for (const v1::Session& one : response.sessions()) {
    if (session.json()) {
      list.push_back({{"session", one.session()},
                      {"user", one.user()},
                      {"host", one.host()},
                      {"max_role", one.max_role()},
                      {"auth_time", Rfc3339(FromTimestamp(one.auth_time()))},
                      {"expires_at", Rfc3339(FromTimestamp(one.expires_at()))},
                      {"session_expires_at", Rfc3339(FromTimestamp(one.session_expires_at()))},
                      {"x5t#S256", one.x5t_s256()}});
    } else if (session.format() == OutputFormat::kName) {
      session.PrintLine(base::EscapeForTerminal(one.session()));
    }
    const std::string host = one.host().empty() ? "-" : base::EscapeForTerminal(one.host());
    table.Add({{base::EscapeForTerminal(one.session())},
               {base::EscapeForTerminal(one.user())},
               {host},
               {base::EscapeForTerminal(one.max_role())},
               {RelativeTime(FromTimestamp(one.auth_time()), session.Now())},
               {time(one.expires_at())},
               {time(one.session_expires_at())}});
  }
  if (session.json()) {
    session.PrintJsonList(list);
  } else if (session.format() != OutputFormat::kName && table.rows() > 0) {
    session.PrintTable(table);
  }
  if (response.sessions().empty()) session.Say("nobody is logged in");
  return kExitOk;
}

int End(Session& session, const std::string& name, const std::string& user) {
  if (name.empty() == user.empty()) {
    return session.Fail(base::Error(base::Code::kInvalidArgument, "name a session, or with --user a user"));
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::EndSessionsRequest request;
  request.set_session(name);
  request.set_user(user);
  v1::EndSessionsResponse response;
  if (auto status = (*client)->EndSessions(request, &response); !status.ok()) return session.Fail(status.error());
  if (!name.empty() && response.ended() == 0) {
    return session.Fail(base::Error(base::Code::kNotFound, "there is no session " + name + ", or it has ended before"));
  }
  if (session.json()) {
    session.PrintJson({{"ended", response.ended()}});
  } else if (!session.options().quiet) {
    session.PrintLine(std::to_string(response.ended()) + (response.ended() == 1 ? " session ended" : " sessions ended"));
  }
  return kExitOk;
}

}  // namespace

void AddSessions(CLI::App& admin, Invocation& invocation) {
  CLI::App* app = admin.add_subcommand("sessions", "Who is logged in: list, end");
  app->require_subcommand(1);
  auto user = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>();
  CLI::App* list = app->add_subcommand("list", "List the sessions, the latest login first");
  list->add_option("--user", *user, "Of this user alone")->type_name("NAME");
  list->callback([user, &invocation] { invocation.action = [user](Session& session) { return List(session, *user); }; });
  CLI::App* end = app->add_subcommand("end", "End a session, or all of a user's; jobs go on");
  end->add_option("SESSION", *name, "As `list` shows it");
  end->add_option("--user", *user, "All of this user's")->type_name("NAME");
  end->callback(
      [name, user, &invocation] { invocation.action = [name, user](Session& session) { return End(session, *name, *user); }; });
}

}  // namespace jobd::cli
