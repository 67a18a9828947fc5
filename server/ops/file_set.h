// Everything the service reads from files, as one set: it is put in force as a whole or not at all.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "launch/contract/capabilities.h"
#include "server/auth/access.h"
#include "server/auth/tls_material.h"

namespace jobd::server {

// The files' contents, as the launcher gave them.
struct FileContents {
  std::string config;
  std::string users;
  TlsFiles tls;
  std::optional<std::string> revoked;  // absent when none is configured
  std::vector<std::string> warnings;   // the launcher's, of the files; a line each
  launch::Capabilities capabilities;   // what the launcher makes of its own files
  // The second step of a reload, where these were given for one: the launcher takes them, when they have been checked here. When it
  // is OK they must be put in force; else nothing has changed. Called at most once; where it goes without a
  // call, the launcher is told to drop them.
  std::function<base::Status()> commit;
};

// Gives the contents. Blocks; thread-safe. Errors are for administrators.
using FileSource = std::function<base::Result<FileContents>()>;

// The set, read and checked.
struct FileSet {
  std::shared_ptr<const config::LoadedConfig> config;
  std::shared_ptr<const AccessRules> rules;
  std::shared_ptr<const TlsMaterial> tls;
  std::vector<std::string> warnings;  // of the settings and the users file
  launch::Capabilities capabilities;

  // What is to be seen to, with what is so now.
  std::vector<std::string> Warnings(base::Nanos now) const;
};

// Checks everything before anything is used. kInvalidArgument, for administrators: "FILE:LINE: what is wrong". A revocation list
// that is configured but was not given is an error, never an empty list; so is a users file without an enabled admin.
base::Result<FileSet> CheckFiles(FileContents contents, const std::string& config_name, const config::Overrides& overrides,
                                 base::Nanos now);

}  // namespace jobd::server
