// jobctl whoami: the caller as jobd sees them.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/auth_service.pb.h"

namespace jobd::cli {

namespace {

int Whoami(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::WhoAmIResponse response;
  if (auto status = (*client)->WhoAmI(&response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson({{"name", response.name()}, {"role", response.role()}});
  } else if (session.format() == OutputFormat::kName) {
    session.PrintLine(base::EscapeForTerminal(response.name()));
  } else {
    session.PrintLine(base::EscapeForTerminal(response.name() + " (" + response.role() + ")"));
  }
  return 0;
}

}  // namespace

void AddWhoami(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("whoami", "Show who you are to jobd, and your role");
  app->callback([&invocation] { invocation.action = Whoami; });
}

}  // namespace jobd::cli
