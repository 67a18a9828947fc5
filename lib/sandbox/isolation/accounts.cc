#include "sandbox/isolation/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace jobd::sandbox {

namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File OpenForReading(const char* path) { return {std::fopen(path, "re"), &std::fclose}; }

constexpr size_t kLineSpace = 64 * 1024;  // a group with some thousand members

std::string WholeLines(std::string_view file) {
  std::string text(file);
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

// True when a line's third field, of passwd or group, is `number`.
bool HasNumber(std::string_view file, gid_t number) {
  while (!file.empty()) {
    const std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(file.size(), line.size() + 1));
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view rest = line.substr(second + 1);
    if (rest.substr(0, rest.find(':')) == std::to_string(number)) return true;
  }
  return false;
}

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
    account.name = entry.pw_name;
    account.home = entry.pw_dir;
    account.shell = entry.pw_shell;
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

Account AccountOf(uid_t uid) {
  std::vector<char> space(kLineSpace);
  const File passwd_file = OpenForReading("/etc/passwd");
  passwd entry{};
  passwd* result = nullptr;
  while (passwd_file && ::fgetpwent_r(passwd_file.get(), &entry, space.data(), space.size(), &result) == 0 && result != nullptr) {
    if (entry.pw_uid != uid) continue;
    return {.uid = uid, .gid = entry.pw_gid, .groups = {}, .name = entry.pw_name, .home = entry.pw_dir, .shell = entry.pw_shell};
  }
  return {.uid = uid, .gid = static_cast<gid_t>(uid), .groups = {}, .name = std::to_string(uid), .home = "/", .shell = "/bin/sh"};
}

std::optional<gid_t> FindGroup(const std::string& name) {
  std::vector<char> space(kLineSpace);
  const File group_file = OpenForReading("/etc/group");
  group entry{};
  group* result = nullptr;
  while (group_file && ::fgetgrent_r(group_file.get(), &entry, space.data(), space.size(), &result) == 0 && result != nullptr) {
    if (name == entry.gr_name) return entry.gr_gid;
  }
  return std::nullopt;
}

std::string AccountName(uid_t uid) { return AccountOf(uid).name; }

AccountFiles WithAccount(std::string_view passwd, std::string_view group, std::string_view owner, uid_t uid, gid_t gid,
                         std::string_view home) {
  constexpr size_t kLongest = 28;  // useradd(8) allows 32, and there may be a suffix
  std::string base;
  for (const char c : owner.substr(0, kLongest)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    base += plain ? c : '_';
  }
  // A name of digits would be taken for a number, and one that begins with '-' for an option.
  if (base.find_first_not_of("0123456789") == std::string::npos || base[0] == '-' || base[0] == '.') base.insert(0, "u");
  const auto has = [](std::string_view file, const std::string& name) {
    return file.starts_with(name + ":") || file.find("\n" + name + ":") != std::string_view::npos;
  };
  // Each file has its own names: an account may be called as some group is that is not its own.
  const auto free_in = [&](std::string_view file) {
    std::string name = base;
    for (int suffix = 2; has(file, name); ++suffix) name = base + "-" + std::to_string(suffix);
    return name;
  };
  AccountFiles files;
  files.name = free_in(passwd);
  files.passwd = WholeLines(passwd) + files.name + ":x:" + std::to_string(uid) + ":" + std::to_string(gid) + ":jobs of " + base +
                 ":" + std::string(home) + ":/bin/sh\n";
  files.group = WholeLines(group);
  if (!HasNumber(group, gid)) files.group += free_in(group) + ":x:" + std::to_string(gid) + ":\n";
  return files;
}

AccountFiles WithHome(std::string_view passwd, std::string_view group, const Account& account, std::string_view home) {
  const std::string entry = account.name + ":x:" + std::to_string(account.uid) + ":" + std::to_string(account.gid) +
                            "::" + std::string(home) + ":" + account.shell + "\n";
  return {.passwd = entry + std::string(passwd), .group = std::string(group), .name = account.name};
}

}  // namespace jobd::sandbox
