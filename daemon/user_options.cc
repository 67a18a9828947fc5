#include "daemon/user_options.h"

#include <CLI/CLI.hpp>

namespace jobd::daemon {

void AddUserCommand(CLI::App& app, UserRequest& request) {
  CLI::App* user = app.add_subcommand("user", "Change the users file, whether jobd runs or not");
  user->fallthrough()->require_subcommand(1);
  user->footer(
      "The file is the one that the configuration names; all in it that a change is not about stays as it is. A jobd that runs "
      "takes it up\n"
      "at SIGHUP or `jobctl admin reload`.\n"
      "Exit status: 0; 2 usage; 3 no such user; 4 not allowed to change the file; 125 anything else.");
  const auto verb = [&](const char* name, const char* help) {
    CLI::App* sub = user->add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&request, name] { request.verb = name; });
    return sub;
  };
  const auto named = [&](const char* name, const char* help) {
    CLI::App* sub = verb(name, help);
    sub->add_option("NAME", request.name, "The user, as in spiffe://jobd/user/NAME")->required();
    return sub;
  };
  CLI::App* add =
      named("add",
            "Add a user. The password is asked for on a terminal, else it is the line that standard input holds; without one\n"
            "the user's own certificate is the only way in");
  add->add_option("--role", request.role, "admin, operator or viewer")
      ->check(CLI::IsMember({"admin", "operator", "viewer"}))
      ->capture_default_str();
  add->add_flag("--no-password", request.no_password, "Do not ask for one, and leave standard input alone");
  named("passwd", "Set a password: from the terminal, else the line that standard input holds");
  named("rm", "Remove a user's entry; what they own stays");
  named("disable", "Let a user do nothing any more");
  named("enable", "Take that back");
  verb("list", "List all users, with role, state and whether they have a password");
}

}  // namespace jobd::daemon
