// jobctl login, logout: a session of somebody's, through the certificate that jobctl has.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "auth/password.h"
#include "auth/password_input.h"
#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/connect/token_file.h"
#include "cli/verbs/verbs.h"
#include "cli/view/proto_time.h"
#include "cli/view/time_text.h"
#include "jobd/v1/auth_service.pb.h"

namespace jobd::cli {

namespace {

int Login(Session& session, const std::string& user, bool from_stdin) {
  auto connection = ResolveConnection(session.options(), session.env());
  if (!connection.ok()) return session.Fail(connection.error());
  const std::string path = connection->token_file;
  if (path.empty()) {
    return session.Fail(
        base::Error(base::Code::kFailedPrecondition, "there is no home for the token: set HOME, or give --token-file"));
  }
  if (connection->token_is_asked) {
    if (const base::Status free = CheckReplaceable(path); !free.ok()) return session.Fail(free.error());
  }
  // What is left of an earlier login says nothing of this one.
  connection->token_file.clear();
  // Before there are threads of gRPC's, which would take the signals that are held back while the terminal shows nothing.
  const std::string prompt = from_stdin ? "" : "Password of " + base::EscapeForTerminal(user) + ": ";
  auto password = auth::ReadPassword(STDIN_FILENO, STDERR_FILENO, prompt, auth::kMaxPasswordBytes);
  if (!password.ok()) return session.Fail(password.error());
  if (password->empty()) return session.Fail(base::Error(base::Code::kInvalidArgument, "no password was given"));
  const auto client = session.MakeClient(*connection);
  if (!client.ok()) {
    auth::Wipe(*password);
    return session.Fail(client.error());
  }
  v1::LoginRequest request;
  request.set_username(user);
  request.set_password(*password);
  auth::Wipe(*password);
  v1::LoginResponse response;
  const base::Status status = (*client)->Login(request, &response);
  auth::Wipe(*request.mutable_password());
  if (!status.ok()) return session.Fail(status.error());
  const base::Nanos expires_in = FromDuration(response.expires_in());
  auto token = NewToken(*connection, response.access_token(), session.Now(), expires_in);
  if (!token.ok()) return session.Fail(token.error());
  token->user = user;
  token->session = response.session();
  if (const base::Status written = WriteTokenFile(path, *token); !written.ok()) return session.Fail(written.error());
  const base::Nanos until = FromTimestamp(response.session_expires_at());
  if (session.json()) {
    session.PrintJson({{"user", user},
                       {"session", response.session()},
                       {"expires_at", Rfc3339(FromTimestamp(response.expires_at()))},
                       {"session_expires_at", Rfc3339(until)},
                       {"token_file", path}});
  } else {
    session.Say("logged in as " + base::EscapeForTerminal(user) + ", until " + AbsoluteTime(until) + " at most (" +
                base::EscapeForTerminal(response.session()) + ")");
  }
  return 0;
}

int Logout(Session& session) {
  const auto connection = ResolveConnection(session.options(), session.env());
  if (!connection.ok()) return session.Fail(connection.error());
  // What lies where only jobctl writes is its own, whatever became of it. A file that was named may be anything.
  if (!connection->token_is_asked && !CheckReplaceable(connection->token_file).ok()) {
    ForgetToken(connection->token_file);
    session.Say("you are not logged in");
    return 0;
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  if (!(*client)->has_token()) {  // none, or one that has ended
    ForgetToken(connection->token_file);
    session.Say("you are not logged in");
    return 0;
  }
  v1::LogoutResponse response;
  const base::Status status = (*client)->Logout(&response);
  // One that had ended is worth nothing either.
  const bool ended = status.ok() || status.error().code() == base::Code::kUnauthenticated;
  if (ended) ForgetToken(connection->token_file);
  if (!ended) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson({{"session", response.session()}});
  } else {
    session.Say(status.ok() ? "logged out" : "the session had ended before");
  }
  return 0;
}

}  // namespace

void AddLogin(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("login", "Log in with a name and a password");
  app->footer(
      "The password is asked for on a terminal, else it is one line of standard input. The token is kept in a file that only you\n"
      "can read, for this context alone, and is renewed by itself. A user's own certificate needs no login.");
  auto user = std::make_shared<std::string>();
  auto from_stdin = std::make_shared<bool>(false);
  app->add_option("USER", *user, "Who you are")->required();
  app->add_flag("--password-stdin", *from_stdin, "Read the password from standard input, without asking");
  app->callback([user, from_stdin, &invocation] {
    invocation.action = [user, from_stdin](Session& session) { return Login(session, *user, *from_stdin); };
  });
}

void AddLogout(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("logout", "End the session that login has begun");
  app->callback([&invocation] { invocation.action = Logout; });
}

}  // namespace jobd::cli
