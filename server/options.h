// jobd-server's command line. Settings come from the launcher.
#pragma once

#include <string>

namespace jobd::server {

struct Options {
  std::string connect;  // the launcher's socket; empty: the launcher started us, and has given us the connection
  std::string task;     // "backup", "restore", "recover", "check": instead of serving; see maintenance.h
  bool replace = false;
};

// Parses; help, version and errors are printed and end the process: 0, 0 and 2.
Options ParseOptions(int argc, char** argv);

}  // namespace jobd::server
