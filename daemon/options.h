// jobd's command line.
#pragma once

#include <sys/resource.h>

#include <string>
#include <string_view>
#include <vector>

namespace jobd::daemon {

// `jobd user VERB NAME`: how it is asked for.
struct UserRequest {
  std::string verb;  // "add", "passwd", "rm", "disable", "enable", "list"; empty: jobd was not asked for this
  std::string name;
  std::string role = "operator";  // of add
  bool no_password = false;       // of add: leave standard input alone
};

struct Options {
  std::string config_file = "/etc/jobd/jobd.toml";
  bool check_only = false;
  bool external_server = false;        // somebody else starts jobd-server, which then connects
  std::vector<std::string> set_flags;  // section.key=value
  std::string maintenance;             // "backup", "restore" or "recover": instead of running the service
  std::string maintenance_dir;         // of the backup
  bool replace = false;                // a restoration may put a database aside
  bool verify_audit = false;
  std::vector<std::string> audit_files;  // empty: the whole log of the configuration
  std::string audit_anchors;             // empty: those of the configuration
  UserRequest user;
  rlimit job_descriptors{};  // RLIMIT_NOFILE that jobs get: the one we were started with
};

// Parses; help, version and errors are printed and end the process, as users expect of them: 0, 0 and 2.
Options ParseOptions(int argc, char** argv);

// What is wrong with a command line, in words for who has typed it (usage.cc). Of what CLI11 says of an error, and the words that
// it could not place: the thing, and what to do. One line, without the program's name. Pure.
std::string UsageProblem(std::string_view said, const std::vector<std::string>& unexpected);

}  // namespace jobd::daemon
