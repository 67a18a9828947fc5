#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

namespace jobd::daemon {
namespace {

// `request` is filled in when the command line is parsed.
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

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  std::string to_check;
  CLI::App app{"jobd runs jobs for others: a secure job worker daemon."};
  app.footer(
      "Every setting can also come from the environment, as JOBD_SECTION_KEY.\n"
      "SIGHUP reads files again; SIGTERM stops the service and leaves running jobs alone.");
  app.set_version_flag("--version", std::string("jobd ") + JOBD_VERSION);
  auto* config =
      app.add_option("--config", options.config_file, "The configuration file")->capture_default_str()->type_name("FILE");
  app.add_option("--check-config", to_check, "Check this file, say OK or what is wrong where, and end")
      ->excludes(config)
      ->type_name("FILE");
  app.add_flag("--external-server", options.external_server,
               "Do not start jobd-server: wait for one to connect (jobd-server --connect RUNTIME_DIR/launcher.sock)");
  app.add_option("--set", options.set_flags, "section.key=value; wins over file and environment. May be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  std::string backup;
  std::string restore;
  bool recover = false;
  app.add_option("--backup", backup,
                 "Copy the database to this folder, which must be new or empty; jobd may run meanwhile, and is not held up")
      ->excludes("--check-config")
      ->type_name("DIR");
  auto* restoring = app.add_option("--restore", restore, "Take the database from a folder that --backup wrote")
                        ->excludes("--check-config")
                        ->excludes("--backup")
                        ->type_name("DIR");
  app.add_flag("--replace", options.replace, "With --restore: put the present database aside")->needs(restoring);
  app.add_flag("--recover", recover, "Make a new database of what the exit records of jobs prove; a damaged one is put aside")
      ->excludes("--check-config")
      ->excludes("--backup")
      ->excludes(restoring);
  auto* verifying =
      app.add_option("--verify-audit", options.audit_files,
                     "Check the audit log, or these files of it, and name the first line that was altered or is missing")
          ->type_name("[FILE...]")
          ->expected(0, 100'000)
          ->excludes("--check-config")
          ->excludes("--backup")
          ->excludes(restoring)
          ->excludes("--recover");
  app.add_option("--anchors", options.audit_anchors, "With --verify-audit: the file of anchors, when it is not in its usual place")
      ->needs(verifying)
      ->type_name("FILE");
  AddUserCommand(app, options.user);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) std::exit(app.exit(error));  // what was asked for: help, a version
    const std::string problem = UsageProblem(error.what(), app.remaining(/*recurse=*/true));
    std::fprintf(stderr, "jobd: %s\nSee `jobd --help`.\n", problem.c_str());
    std::exit(2);
  }
  options.verify_audit = verifying->count() > 0;
  std::erase(options.audit_files, "");
  options.maintenance = !backup.empty() ? "backup" : !restore.empty() ? "restore" : recover ? "recover" : "";
  options.maintenance_dir = !backup.empty() ? backup : restore;
  if (!to_check.empty()) {
    options.check_only = true;
    options.config_file = to_check;
  }
  return options;
}

}  // namespace jobd::daemon
