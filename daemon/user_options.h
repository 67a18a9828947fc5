// `jobd user VERB NAME`: how it is asked for.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace jobd::daemon {

struct UserRequest {
  std::string verb;  // "add", "passwd", "rm", "disable", "enable", "list"; empty: jobd was not asked for this
  std::string name;
  std::string role = "operator";  // of add
  bool no_password = false;       // of add: leave standard input alone
};

// Adds the subcommand to jobd's command line; `request` is filled in when that is parsed.
void AddUserCommand(CLI::App& app, UserRequest& request);

}  // namespace jobd::daemon
