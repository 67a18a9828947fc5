#include "config/users_check.h"

#include <algorithm>
#include <map>

#include "base/suggest.h"
#include "base/text.h"

namespace jobd::config {

namespace {

// Who names what is not there: a [role] section gives the same to many.
using Unknown = std::map<std::string, std::vector<std::string>>;

std::string ListOf(const std::vector<std::string>& names) {
  constexpr size_t kMost = 4;
  std::string list;
  for (size_t i = 0; i < names.size() && i < kMost; ++i) list += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kMost ? list + " and " + std::to_string(names.size() - kMost) + " more" : list;
}

void Tell(const std::string& file, const Unknown& unknown, const char* whose, const std::string& kind,
          const std::vector<std::string>& names, std::vector<std::string>& warnings) {
  for (const auto& [name, named_by] : unknown) {
    warnings.push_back(file + ": " + whose + " " + ListOf(named_by) + ": there is no " + kind + " '" +
                       base::EscapeForTerminal(name) + "'" + base::DidYouMean(name, names));
  }
}

}  // namespace

std::vector<std::string> UnknownNames(const std::string& file_name, const Users& users, const KnownNames& known) {
  Unknown profiles;
  Unknown accounts;
  Unknown guests;
  std::vector<std::string> user_names;
  std::map<std::string, bool> looked_up;
  for (const User& user : users.all()) {
    user_names.push_back(user.name);
    for (const std::string& profile : user.profiles) {
      if (std::ranges::find(known.profiles, profile) == known.profiles.end()) profiles[profile].push_back(user.name);
    }
    if (!known.has_account) continue;
    for (const std::string& account : user.run_as) {
      const auto [found, fresh] = looked_up.try_emplace(account, false);
      if (fresh) found->second = known.has_account(account);
      if (!found->second) accounts[account].push_back(user.name);
    }
  }
  for (const Host& host : users.hosts()) {
    for (const std::string& user : host.users.value_or(std::vector<std::string>())) {
      if (users.Find(user) == nullptr) guests[user].push_back(host.name);
    }
  }
  std::vector<std::string> warnings;
  Tell(file_name, profiles, "profiles of", "profile", known.profiles, warnings);
  Tell(file_name, accounts, "run_as of", "account", {}, warnings);
  Tell(file_name, guests, "users of the host", "user", user_names, warnings);
  return warnings;
}

}  // namespace jobd::config
