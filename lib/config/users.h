// The users file: who may do what. Parsed by the server for authorisation and by the launcher for its own policy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::config {

enum class Role { kViewer, kOperator, kAdmin };
std::string_view RoleName(Role role);  // "viewer", …

// What is kept of one user's ended batches, where it differs from the service's [retention].
struct UserRetention {
  std::optional<base::Nanos> max_age;  // instead of the service's; 0: for ever
  // Of this user's own, beside the service's bounds on all together; 0: no bound.
  std::optional<uint64_t> max_bytes;
  std::optional<uint64_t> max_batches;
  bool operator==(const UserRetention&) const = default;
};

struct User {
  std::string name;  // the last part of spiffe://jobd/user/NAME; IsSafeName
  Role role = Role::kViewer;
  bool disabled = false;
  std::string password;                // argon2id hash, or empty
  std::vector<std::string> profiles;   // that may be asked for; empty: all
  std::vector<std::string> run_as;     // accounts jobs may run as; the first is the default. Empty: only the policy's
  std::optional<uint64_t> max_queued;  // quotas; absent: the service's
  std::optional<uint32_t> max_running;
  std::optional<UserRetention> retention;
  bool operator==(const User&) const = default;
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
