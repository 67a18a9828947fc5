#include "sandbox/isolation/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace jobd::sandbox {

namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File OpenForReading(const char* path) { return {std::fopen(path, "re"), &std::fclose}; }

constexpr size_t kLineSpace = 64 * 1024;  // a group with some thousand members

}  // namespace

base::Result<Account> FindAccount(const std::string& name) {
  std::vector<char> space(kLineSpace);
  const File passwd_file = OpenForReading("/etc/passwd");
  if (!passwd_file) return base::SysError("opening /etc/passwd", errno);
  Account account;
  bool found = false;
  passwd entry{};
  passwd* result = nullptr;
  while (!found && ::fgetpwent_r(passwd_file.get(), &entry, space.data(), space.size(), &result) == 0 && result != nullptr) {
    if (name != entry.pw_name) continue;
    account.uid = entry.pw_uid;
    account.gid = entry.pw_gid;
    found = true;
  }
  if (!found) return base::Error(base::Code::kNotFound, "no account '" + name + "' in /etc/passwd");
  account.groups.push_back(account.gid);
  const File group_file = OpenForReading("/etc/group");
  if (!group_file) return base::SysError("opening /etc/group", errno);
  group members{};
  group* group_result = nullptr;
  while (::fgetgrent_r(group_file.get(), &members, space.data(), space.size(), &group_result) == 0 && group_result != nullptr) {
    for (char** member = members.gr_mem; *member != nullptr; ++member) {
      if (name == *member && members.gr_gid != account.gid) account.groups.push_back(members.gr_gid);
    }
  }
  return account;
}

std::string AccountName(uid_t uid) {
  std::vector<char> space(kLineSpace);
  const File passwd_file = OpenForReading("/etc/passwd");
  passwd entry{};
  passwd* result = nullptr;
  while (passwd_file && ::fgetpwent_r(passwd_file.get(), &entry, space.data(), space.size(), &result) == 0 && result != nullptr) {
    if (entry.pw_uid == uid) return entry.pw_name;
  }
  return std::to_string(uid);
}

}  // namespace jobd::sandbox
