#include "config/users.h"

#include <algorithm>
#include <map>

#include "auth/password_hash.h"
#include "base/bounds.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"
#include "config/toml_text.h"

namespace jobd::config {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

std::optional<Role> RoleNamed(std::string_view name) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    if (name == RoleName(role)) return role;
  }
  return std::nullopt;
}

Result<Role> ParseRole(const std::string& file, const toml::node& node) {
  const auto role = RoleNamed(ScalarText(node).value_or(""));
  if (!role) return ErrorAt(file, node, "role must be one of: admin, operator, viewer");
  return *role;
}

Result<std::string> ParseName(const std::string& file, const toml::node& node) {
  std::string name = ScalarText(node).value_or("");
  if (!base::IsSafeName(name)) return ErrorAt(file, node, "name must be letters, digits, '_', and then also '.', ':', '-'");
  return name;
}

Result<std::vector<std::string>> ParseList(const std::string& file, std::string_view key, const toml::node& node) {
  std::vector<std::string> list;
  const toml::array* array = node.as_array();
  if (array == nullptr) return ErrorAt(file, node, std::string(key) + " must be a list of texts");
  for (const toml::node& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr || text->get().empty()) return ErrorAt(file, item, std::string(key) + " must be a list of texts");
    list.push_back(text->get());
  }
  return list;
}

Result<uint64_t> ParseCount(const std::string& file, std::string_view key, const toml::node& node, uint64_t high) {
  const auto* number = node.as_integer();
  if (number == nullptr || number->get() < 0 || static_cast<uint64_t>(number->get()) > high) {
    return ErrorAt(file, node, std::string(key) + " must be a number from 0 to " + std::to_string(high));
  }
  return static_cast<uint64_t>(number->get());
}

Error Unknown(const std::string& file, const toml::node& node, std::string_view key) {
  static const std::vector<std::string> kKeys = {
      "name",       "role",          "disabled",       "password",     "profiles",    "run_as",       "workdirs",
      "retention",  "max_queued",    "max_running",    "max_memory",   "max_cpus",    "max_pids",     "max_timeout",
      "max_output", "max_file_size", "max_open_files", "max_tmp_size", "max_io_read", "max_io_write", "max_core"};
  return ErrorAt(file, node, "unknown key '" + base::EscapeForTerminal(key) + "'" + base::DidYouMean(key, kKeys));
}

// An amount as people write it; 0 is no bound, whatever the unit.
template <typename Amount, typename Parse>
Status ParseAmount(const std::string& file, std::string_view key, const toml::node& node, Parse parse, Amount& amount) {
  const std::string text = ScalarText(node).value_or("");
  if (text == "0") {
    amount = 0;
    return base::Ok();
  }
  auto parsed = parse(text);
  if (!parsed.ok()) return ErrorAt(file, node, std::string(key) + ": " + parsed.error().message());
  amount = *parsed;
  return base::Ok();
}

Status ParseMost(const std::string& file, std::string_view key, const toml::node& node, UserMaxima& most) {
  const auto size = [&](uint64_t& bytes) { return ParseAmount(file, key, node, base::ParseSize, bytes); };
  if (key == "max_memory") return size(most.memory);
  if (key == "max_output") return size(most.output);
  if (key == "max_file_size") return size(most.file_size);
  if (key == "max_tmp_size") return size(most.tmp_size);
  if (key == "max_io_read") return size(most.io_read);
  if (key == "max_io_write") return size(most.io_write);
  if (key == "max_core") return size(most.core);
  if (key == "max_cpus") return ParseAmount(file, key, node, base::ParseCpus, most.cpu_millis);
  if (key == "max_timeout") return ParseAmount(file, key, node, base::ParseDuration, most.timeout);
  if (key == "max_open_files") {
    JOBD_ASSIGN_OR_RETURN(most.open_files, ParseCount(file, key, node, base::kMaxOpenFiles));
    if (most.open_files > 0 && most.open_files < base::kMinOpenFiles) {
      return ErrorAt(file, node, "max_open_files must be 0, for no bound, or at least " + std::to_string(base::kMinOpenFiles));
    }
    return base::Ok();
  }
  if (key == "max_pids") {
    JOBD_ASSIGN_OR_RETURN(const uint64_t count, ParseCount(file, key, node, base::kMaxPids));
    most.pids = static_cast<uint32_t>(count);
    return base::Ok();
  }
  return Unknown(file, node, key);
}

Result<UserRetention> ParseRetention(const std::string& file, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return ErrorAt(file, node, "retention must be a table: max_age, max_bytes, max_batches");
  UserRetention retention;
  for (const auto& [key, value] : *table) {
    const std::string name = "retention." + std::string(key.str());
    const auto wrong = [&](const Error& error) { return ErrorAt(file, value, name + ": " + error.message()); };
    if (key == "max_age") {
      const auto age = base::ParseDurationWithUnit(ScalarText(value).value_or(""));
      if (!age.ok()) return wrong(age.error());
      retention.max_age = *age;
    } else if (key == "max_bytes") {
      const auto bytes = base::ParseSize(ScalarText(value).value_or(""));
      if (!bytes.ok()) return wrong(bytes.error());
      retention.max_bytes = *bytes;
    } else if (key == "max_batches") {
      JOBD_ASSIGN_OR_RETURN(retention.max_batches, ParseCount(file, name, value, 1'000'000'000'000));
    } else {
      return ErrorAt(file, value,
                     "unknown key '" + base::EscapeForTerminal(name) + "'" +
                         base::DidYouMean(key.str(), {"max_age", "max_bytes", "max_batches"}));
    }
  }
  return retention;
}

Status ParseField(const std::string& file, std::string_view key, const toml::node& node, User& user) {
  const auto text = [&]() -> std::string { return ScalarText(node).value_or(""); };
  if (key == "name") {
    JOBD_ASSIGN_OR_RETURN(user.name, ParseName(file, node));
  } else if (key == "role") {
    JOBD_ASSIGN_OR_RETURN(user.role, ParseRole(file, node));
  } else if (key == "disabled") {
    if (!node.is_boolean()) return ErrorAt(file, node, "disabled must be true or false");
    user.disabled = node.as_boolean()->get();
  } else if (key == "password") {
    user.password = text();
    if (auto cost = auth::ParsePasswordHash(user.password); !cost.ok()) {
      return ErrorAt(file, node, "password " + cost.error().message());
    }
  } else if (key == "profiles") {
    JOBD_ASSIGN_OR_RETURN(user.profiles, ParseList(file, key, node));
  } else if (key == "run_as") {
    JOBD_ASSIGN_OR_RETURN(user.run_as, ParseList(file, key, node));
  } else if (key == "max_queued") {
    JOBD_ASSIGN_OR_RETURN(user.max_queued, ParseCount(file, key, node, base::kMaxQueued));
  } else if (key == "max_running") {
    JOBD_ASSIGN_OR_RETURN(const uint64_t count, ParseCount(file, key, node, base::kMaxRunning));
    user.max_running = static_cast<uint32_t>(count);
  } else if (key == "workdirs") {
    JOBD_ASSIGN_OR_RETURN(user.workdirs, ParseList(file, key, node));
    for (const std::string& folder : user.workdirs) {
      if (folder[0] != '/' || (folder + "/").find("/../") != std::string::npos) {
        return ErrorAt(file, node, "workdirs must be absolute paths without '..'");
      }
    }
  } else if (key.starts_with("max_")) {
    return ParseMost(file, key, node, user.most);
  } else if (key == "retention") {
    JOBD_ASSIGN_OR_RETURN(user.retention, ParseRetention(file, node));
  } else {
    return Unknown(file, node, key);
  }
  return base::Ok();
}

// What users of each role have in common.
using Roles = std::map<Role, User>;

Result<Roles> ParseRoles(const std::string& file, const toml::node& node) {
  Roles roles;
  const toml::table* sections = node.as_table();
  if (sections == nullptr) return ErrorAt(file, node, "expected [role.NAME] sections");
  for (const auto& [name, section] : *sections) {
    const toml::table* table = section.as_table();
    const auto role = RoleNamed(name.str());
    if (table == nullptr || !role) return ErrorAt(file, section, "expected [role.admin], [role.operator] or [role.viewer]");
    for (const auto& [field, value] : *table) {
      for (const char* own : {"name", "role", "disabled", "password"}) {
        if (field.str() == own) return ErrorAt(file, value, std::string(own) + " is for [[user]] entries");
      }
      JOBD_RETURN_IF_ERROR(ParseField(file, field.str(), value, roles[*role]));
    }
  }
  return roles;
}

Result<User> ParseUser(const std::string& file, const toml::node& entry, const Roles& roles) {
  const toml::table* table = entry.as_table();
  if (table == nullptr) return ErrorAt(file, entry, "expected [[user]] entries only");
  const toml::node* role_node = table->get("role");
  User user;
  if (role_node != nullptr) {
    JOBD_ASSIGN_OR_RETURN(const Role role, ParseRole(file, *role_node));
    if (const auto common = roles.find(role); common != roles.end()) user = common->second;
  }
  for (const auto& [field, value] : *table) JOBD_RETURN_IF_ERROR(ParseField(file, field.str(), value, user));
  if (user.name.empty()) return ErrorAt(file, entry, "a user needs a name");
  if (role_node == nullptr) return ErrorAt(file, entry, "user '" + user.name + "' needs a role");
  return user;
}

Result<Host> ParseHost(const std::string& file, const toml::node& entry) {
  const toml::table* table = entry.as_table();
  if (table == nullptr) return ErrorAt(file, entry, "expected [[host]] entries only");
  Host host;
  for (const auto& [key, value] : *table) {
    if (key == "name") {
      JOBD_ASSIGN_OR_RETURN(host.name, ParseName(file, value));
    } else if (key == "max_role") {
      const auto role = RoleNamed(ScalarText(value).value_or(""));
      if (!role) return ErrorAt(file, value, "max_role must be one of: admin, operator, viewer");
      host.max_role = *role;
    } else if (key == "users") {
      JOBD_ASSIGN_OR_RETURN(host.users, ParseList(file, "users", value));
      for (const std::string& user : *host.users) {
        if (!base::IsSafeName(user)) return ErrorAt(file, value, "users must be names of users");
      }
    } else {
      return ErrorAt(
          file, value,
          "unknown key '" + base::EscapeForTerminal(key.str()) + "'" + base::DidYouMean(key.str(), {"name", "max_role", "users"}));
    }
  }
  if (host.name.empty()) return ErrorAt(file, entry, "a host needs a name");
  return host;
}

// In the order of their names.
template <typename Entries>
auto PlaceOf(Entries& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name,
                          [](const auto& other, std::string_view wanted) { return other.name < wanted; });
}

template <typename Entry>
const Entry* FindIn(const std::vector<Entry>& entries, std::string_view name) {
  const auto place = PlaceOf(entries, name);
  return place != entries.end() && place->name == name ? &*place : nullptr;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kViewer: return "viewer";
    case Role::kOperator: return "operator";
    case Role::kAdmin: return "admin";
  }
  return "viewer";
}

Result<Users> Users::Parse(const std::string& file_name, std::string_view text) {
  JOBD_ASSIGN_OR_RETURN(const toml::table root, ParseToml(file_name, text));
  Users users;
  Roles roles;
  if (const toml::node* sections = root.get("role")) {
    JOBD_ASSIGN_OR_RETURN(roles, ParseRoles(file_name, *sections));
  }
  for (const auto& [key, node] : root) {
    if (key.str() == "role") continue;
    const toml::array* list = node.as_array();
    const bool hosts = key.str() == "host";
    if ((key.str() != "user" && !hosts) || list == nullptr) {
      return ErrorAt(file_name, node, "expected [[user]] and [[host]] entries and [role.NAME] sections only");
    }
    for (const toml::node& entry : *list) {
      if (hosts) {
        JOBD_ASSIGN_OR_RETURN(Host host, ParseHost(file_name, entry));
        if (users.FindHost(host.name) != nullptr) return ErrorAt(file_name, entry, "host '" + host.name + "' is given twice");
        users.hosts_.insert(PlaceOf(users.hosts_, host.name), std::move(host));
      } else {
        JOBD_ASSIGN_OR_RETURN(User user, ParseUser(file_name, entry, roles));
        if (users.Find(user.name) != nullptr) return ErrorAt(file_name, entry, "user '" + user.name + "' is given twice");
        users.users_.insert(PlaceOf(users.users_, user.name), std::move(user));
      }
    }
  }
  return users;
}

const User* Users::Find(std::string_view name) const { return FindIn(users_, name); }

const Host* Users::FindHost(std::string_view name) const { return FindIn(hosts_, name); }

}  // namespace jobd::config
