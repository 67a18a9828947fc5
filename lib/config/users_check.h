// What a users file says of things outside it, looked at by somebody who knows those.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/users.h"

namespace jobd::config {

// What there is.
struct KnownNames {
  std::vector<std::string> profiles;
  std::function<bool(const std::string&)> has_account;  // of the machine; empty: accounts are not looked at
};

// Profiles and accounts that are named but not there, users of a [[host]] who do not exist: a line each, with whom it is about.
// They may be to come, so they are no errors; jobs that need them are refused.
std::vector<std::string> UnknownNames(const std::string& file_name, const Users& users, const KnownNames& known);

}  // namespace jobd::config
