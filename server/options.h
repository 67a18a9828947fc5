// jobd-server's command line. It is jobd that writes it.
#pragma once

#include <string>

#include "config/config.h"

namespace jobd::server {

struct Options {
  std::string config_name;      // for messages, and to resolve relative paths; the content comes from the launcher
  config::Overrides overrides;  // of the environment and of --set
};

// Parses; help, version and errors are printed and end the process: 0, 0 and 2.
Options ParseOptions(int argc, char** argv);

}  // namespace jobd::server
