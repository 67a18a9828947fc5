// The users file: who may do what. Parsed by the server for authorisation and by the launcher for its own policy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::config {

enum class Role { kViewer, kOperator, kAdmin };
std::string_view RoleName(Role role);  // "viewer", …

struct User {
  std::string name;  // the last part of spiffe://jobd/user/NAME; IsSafeName
  Role role = Role::kViewer;
  bool disabled = false;
  std::string password;                // argon2id hash, or empty
  std::vector<std::string> profiles;   // that may be asked for; empty: all
  std::vector<std::string> run_as;     // accounts jobs may run as; the first is the default. Empty: only the policy's
  std::optional<uint64_t> max_queued;  // quotas; absent: the service's
  std::optional<uint32_t> max_running;
};

class Users {
 public:
  // Errors read "FILE:LINE: what is wrong". Duplicate names are errors.
  static base::Result<Users> Parse(const std::string& file_name, std::string_view text);

  // nullptr when there is none. The pointer lives as long as this object.
  const User* Find(std::string_view name) const;
  const std::vector<User>& all() const { return users_; }

 private:
  std::vector<User> users_;  // by name
};

}  // namespace jobd::config
