// Accounts of the machine, read from /etc/passwd and /etc/group alone: the privileged process loads no NSS plugin and asks no
// directory service.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace jobd::sandbox {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones, gid included
};

// kNotFound when there is no such account. Names, never numbers: "0" names nobody.
base::Result<Account> FindAccount(const std::string& name);

// The name of an account, or the number when it has none.
std::string AccountName(uid_t uid);

}  // namespace jobd::sandbox
