// Configuration and the files it names, as the launcher opens them: for itself, and for jobd-server, which may not.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "config/users.h"
#include "daemon/options.h"
#include "launch/contract/frames.h"
#include "sandbox/rules/profile.h"

namespace jobd::daemon {

// The environment's JOBD_* variables, as NAME and value, and the --set flags.
config::Overrides OverridesOf(const Options& options);

// The settings alone, checked, without the files that they name.
base::Result<config::Config> LoadConfig(const Options& options);

struct Configuration {
  config::Config config;
  config::Users users;
  sandbox::Profiles profiles = sandbox::Profiles::BuiltIn();
  // For jobd-server, by the names of launch::Files: the bytes that were checked, in sealed memfds. To be read by opening them anew.
  std::vector<std::string> names;
  std::vector<base::Fd> fds;
  // What was probably meant otherwise, and names that mean nothing here; a line each. jobd-server has them as the file "warnings".
  std::vector<std::string> warnings;
};

// The files that a configuration names and that decide who is who and what may run: each is held to the one rule of
// OpenTrustedFile wherever it is read. With the setting that names it and, where jobd-server gets it, its name there.
struct TrustedFile {
  const char* setting;
  std::string config::Config::*path;
  const char* given_as;
};
inline constexpr TrustedFile kTrustedFiles[] = {
    {"tls.ca", &config::Config::tls_ca, "ca"},
    {"tls.client_ca", &config::Config::tls_client_ca, "client_ca"},
    {"tls.cert", &config::Config::tls_cert, "cert"},
    {"tls.key", &config::Config::tls_key, "key"},
    {"tls.revoked", &config::Config::tls_revoked, "revoked"},
    {"users.file", &config::Config::users_file, "users"},
    {"policy.profiles", &config::Config::profiles_file, nullptr},
};

// Reads and checks the configuration and every file it names, each of them once. kPermissionDenied when somebody else than root or
// we could change one of them (OpenTrustedFile), or can read the private key. Errors are one line that says which file and what is
// wrong.
base::Result<Configuration> OpenConfiguration(const Options& options);

}  // namespace jobd::daemon
