#include "server/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace jobd::server {

Options ParseOptions(int argc, char** argv) {
  Options options;
  CLI::App app{"The network side of jobd, which gives it its settings and everything it works on."};
  app.footer("Without --connect it is jobd that starts it.");
  app.set_version_flag("--version", std::string("jobd-server ") + JOBD_VERSION);
  app.add_option("--connect", options.connect, "The socket of a jobd --external-server; waits until it is there");
  app.add_option("--task", options.task, "Instead of serving: backup, restore, recover or check")
      ->check(CLI::IsMember({"backup", "restore", "recover", "check"}));
  app.add_flag("--replace", options.replace, "A restoration may put a database aside");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace jobd::server
