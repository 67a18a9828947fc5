#include "daemon/user_command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "auth/password.h"
#include "auth/password_input.h"
#include "base/files.h"
#include "base/text.h"
#include "config/users_edit.h"
#include "daemon/configuration.h"
#include "daemon/users_file.h"

namespace jobd::daemon {

namespace {

using base::Code;
using base::Result;
using config::Role;

Role RoleNamed(const std::string& name) {
  return name == "admin" ? Role::kAdmin : name == "viewer" ? Role::kViewer : Role::kOperator;
}

// The hash of a password that is asked for; nothing where none was given.
Result<std::string> AskedHash(const std::string& user, bool may_be_empty) {
  const std::string prompt = "Password for " + user + (may_be_empty ? " (empty: none, certificate only): " : ": ");
  JOBD_ASSIGN_OR_RETURN(std::string password, auth::ReadNewPassword(STDIN_FILENO, STDERR_FILENO, prompt, auth::kMaxPasswordBytes));
  const auth::WipeAtEnd wipe(password);
  if (password.empty() && may_be_empty) return std::string();
  JOBD_ASSIGN_OR_RETURN(const auto hasher, auth::PasswordHasher::Create({}));
  return hasher->Hash(password);
}

base::Status List(const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(const std::string text, ReadUsersFile(path));
  JOBD_ASSIGN_OR_RETURN(const config::Users users, config::Users::Parse(path, text));
  size_t width = 4;
  for (const config::User& user : users.all()) width = std::max(width, user.name.size());
  const int column = static_cast<int>(width);
  std::printf("%-*s  %-8s  %-8s  %s\n", column, "NAME", "ROLE", "STATE", "PASSWORD");
  for (const config::User& user : users.all()) {
    std::printf("%-*s  %-8s  %-8s  %s\n", column, user.name.c_str(), std::string(config::RoleName(user.role)).c_str(),
                user.disabled ? "disabled" : "enabled", user.password.empty() ? "no" : "yes");
  }
  if (std::fflush(stdout) != 0) return base::Error(Code::kInternal, "cannot write to standard output");
  return base::Ok();
}

Result<std::string> Changed(const UserRequest& request, const std::string& path, const std::string& hash, const std::string& text) {
  if (request.verb == "add") return config::AddUser(path, text, request.name, RoleNamed(request.role), hash);
  if (request.verb == "passwd") return config::SetPassword(path, text, request.name, hash);
  if (request.verb == "rm") return config::RemoveUser(path, text, request.name);
  return config::SetDisabled(path, text, request.name, request.verb == "disable");
}

base::Status Run(const Options& options) {
  const UserRequest& request = options.user;
  JOBD_ASSIGN_OR_RETURN(const config::Config config, LoadConfig(options));
  const std::string& path = config.users_file;
  if (request.verb == "list") return List(path);
  // Before anybody types a password: what can be refused without one. It is said of the file as it is now; the change itself looks
  // again, holding the lock.
  JOBD_ASSIGN_OR_RETURN(const std::string now, ReadUsersFile(path));
  std::string hash;
  if (request.verb == "add" || request.verb == "passwd") {
    constexpr const char* kAnyHash =
        "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    if (const auto possible = Changed(request, path, kAnyHash, now); !possible.ok()) return possible.error();
    if (request.verb == "passwd" || !request.no_password) {
      JOBD_ASSIGN_OR_RETURN(hash, AskedHash(request.name, request.verb == "add"));
    }
  }
  JOBD_RETURN_IF_ERROR(ChangeUsersFile(path, [&](const std::string& text) { return Changed(request, path, hash, text); }));
  if (request.verb == "add") {
    std::fprintf(stderr, "added %s, %s, %s\n", request.name.c_str(), request.role.c_str(),
                 hash.empty() ? "without a password" : "with a password");
  }
  return base::Ok();
}

}  // namespace

int RunUserCommand(const Options& options) {
  // No core file and no debugger: a password passes through this process.
  ::prctl(PR_SET_DUMPABLE, 0);
  const base::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "jobd: %s\n", base::EscapeForTerminal(status.error().message()).c_str());
  switch (status.error().code()) {
    case Code::kNotFound: return status.error().sys_errno() == 0 ? 3 : 125;  // not of a file
    case Code::kPermissionDenied: return 4;
    default: return 125;
  }
}

}  // namespace jobd::daemon
