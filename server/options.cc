#include "server/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string_view>

namespace jobd::server {

Options ParseOptions(int argc, char** argv) {
  Options options;
  CLI::App app{"The network side of jobd. Started by jobd, with descriptors that only it can give."};
  app.set_version_flag("--version", std::string("jobd-server ") + JOBD_VERSION);
  app.add_option("--config", options.config_name, "The configuration file's name")->required();
  app.add_option("--set", options.overrides.flags, "section.key=value")->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const size_t equals = text.find('=');
    if (text.starts_with("JOBD_") && equals != std::string_view::npos) {
      options.overrides.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return options;
}

}  // namespace jobd::server
