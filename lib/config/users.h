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

// The most a user's job may ask for, and what one gets that does not ask; 0: no bound.
struct UserMaxima {
  uint64_t memory = 0;
  uint32_t cpu_millis = 0;
  uint32_t pids = 0;
  uint64_t output = 0;
  uint64_t file_size = 0;
  uint64_t open_files = 0;
  uint64_t tmp_size = 0;
  uint64_t io_read = 0;  // bytes per second
  uint64_t io_write = 0;
  uint64_t core = 0;  // of a core file; one that does not ask gets none
  base::Nanos timeout = 0;
  bool operator==(const UserMaxima&) const = default;
};

// What is kept of one user's ended batches, where it differs from the service's [retention].
struct UserRetention {
  std::optional<base::Nanos> max_age;  // instead of the service's; 0: for ever
  // Of this user's own, beside the service's bounds on all together; 0: no bound.
  std::optional<uint64_t> max_bytes;
  std::optional<uint64_t> max_batches;
  bool operator==(const UserRetention&) const = default;
};

// What a [role.NAME] section says holds for each user of that role whose own entry does not say it.
struct User {
  std::string name;  // the last part of spiffe://jobd/user/NAME; IsSafeName
  Role role = Role::kViewer;
  bool disabled = false;
  std::string password;                // argon2id hash that auth::ParsePasswordHash accepts; empty: no login by password
  std::vector<std::string> profiles;   // that may be asked for; empty: all that need no grant
  std::vector<std::string> run_as;     // accounts jobs may run as; the first is the default. Empty: only the policy's
  std::optional<uint64_t> max_queued;  // quotas; absent: the service's
  std::optional<uint32_t> max_running;
  std::vector<std::string> workdirs;  // absolute folders that jobs may work in and below; empty: any
  UserMaxima most;
  std::optional<UserRetention> retention;
  bool operator==(const User&) const = default;
};

// A [[host]] entry: a machine or program in front of several people, whose certificate names it and lets it log them in.
struct Host {
  std::string name;                               // the last part of spiffe://jobd/host/NAME; IsSafeName
  Role max_role = Role::kOperator;                // whatever the user's own is
  std::optional<std::vector<std::string>> users;  // who may log in from it, also those who do not exist yet; absent: all
  bool operator==(const Host&) const = default;
};

class Users {
 public:
  // Errors read "FILE:LINE: what is wrong". Duplicate names are errors, among users and among hosts.
  static base::Result<Users> Parse(const std::string& file_name, std::string_view text);

  // nullptr when there is none. The pointer lives as long as this object.
  const User* Find(std::string_view name) const;
  const std::vector<User>& all() const { return users_; }
  const Host* FindHost(std::string_view name) const;
  const std::vector<Host>& hosts() const { return hosts_; }

 private:
  std::vector<User> users_;  // by name
  std::vector<Host> hosts_;  // by name
};

}  // namespace jobd::config
