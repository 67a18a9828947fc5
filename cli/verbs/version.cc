// jobctl version.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"

namespace jobd::cli {

void AddVersion(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("version", "Show the version of jobctl; jobd's is in `admin status`");
  app->callback([&invocation] {
    invocation.action = [](Session& session) {
      if (session.json()) {
        session.PrintJson({{"version", JOBD_VERSION}});
      } else {
        session.PrintLine(session.format() == OutputFormat::kName ? JOBD_VERSION : "jobctl " JOBD_VERSION);
      }
      return 0;
    };
  });
}

}  // namespace jobd::cli
