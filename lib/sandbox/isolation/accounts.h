// Accounts of the machine, read from /etc/passwd and /etc/group alone: the privileged process loads no NSS plugin and asks no
// directory service.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jobd::sandbox {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones, gid included
  std::string name;
  std::string home;
  std::string shell;
};

// kNotFound when there is no such account. Names, never numbers: "0" names nobody.
base::Result<Account> FindAccount(const std::string& name);

// As FindAccount, by number, without the supplementary groups. Without an account: its number for a name, "/" for a home.
Account AccountOf(uid_t uid);
// The number of a group in /etc/group.
std::optional<gid_t> FindGroup(const std::string& name);

// The name of an account, or the number when it has none.
std::string AccountName(uid_t uid);

// /etc/passwd and /etc/group as the jobs of one owner see them.
struct AccountFiles {
  std::string passwd;
  std::string group;
  std::string name;  // of the account in them
};

// The machine's files and one entry more, for `uid` and the group `gid`, named after `owner`: what is no proper name of an account
// in it is replaced, and a name that the machine has gets a suffix. The group gets one, too, unless it has a name. Pure.
AccountFiles WithAccount(std::string_view passwd, std::string_view group, std::string_view owner, uid_t uid, gid_t gid,
                         std::string_view home);

// The machine's files where `account` has another home: an entry before that of the machine counts. Pure.
AccountFiles WithHome(std::string_view passwd, std::string_view group, const Account& account, std::string_view home);

}  // namespace jobd::sandbox
