#include "sandbox/isolation/owner_accounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/files.h"

namespace jobd::sandbox {

namespace {

constexpr const char* kFiles[] = {"/etc/passwd", "/etc/group"};
constexpr size_t kMaxFile = 16u << 20;

base::Status Write(int dir, const std::string& name, const std::string& text) {
  // In the place of the old one, whole: jobs that run keep that, and one that starts meanwhile finds either.
  const std::string fresh = name + ".new";
  if (::unlinkat(dir, fresh.c_str(), 0) != 0 && errno != ENOENT) return base::SysError("removing " + fresh, errno);
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  auto written = base::WriteAll(file.get(), text);
  if (written.ok() && ::renameat(dir, fresh.c_str(), dir, name.c_str()) != 0) written = base::SysError("renaming " + fresh, errno);
  if (!written.ok()) (void)::unlinkat(dir, fresh.c_str(), 0);
  return written;
}

}  // namespace

std::string AccountKey(const OwnersAccount& account) {
  return account.of_machine ? "of-" + account.owner : std::to_string(account.uid);
}
std::string PasswdFileName(const std::string& key) { return key + ".passwd"; }
std::string GroupFileName(const std::string& key) { return key + ".group"; }

OwnerAccounts::Stamp OwnerAccounts::StampNow() {
  Stamp stamp{};
  size_t at = 0;
  for (const char* path : kFiles) {
    struct stat info {};
    (void)::stat(path, &info);
    for (const int64_t part :
         {static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino), static_cast<int64_t>(info.st_size),
          static_cast<int64_t>(info.st_ctim.tv_sec), static_cast<int64_t>(info.st_ctim.tv_nsec)}) {
      stamp[at++] = part;
    }
  }
  return stamp;
}

base::Result<std::string> OwnerAccounts::Name(int dir, const OwnersAccount& account) {
  if (const Stamp now = StampNow(); now != stamp_) {
    // A machine without these files has no accounts.
    auto passwd = base::ReadFile(AT_FDCWD, kFiles[0], kMaxFile);
    auto group = base::ReadFile(AT_FDCWD, kFiles[1], kMaxFile);
    passwd_ = passwd.ok() ? std::move(passwd).value() : "";
    group_ = group.ok() ? std::move(group).value() : "";
    names_.clear();
    stamp_ = now;
  }
  const std::string key = AccountKey(account);
  if (const auto known = names_.find(key); known != names_.end()) return known->second;
  const auto machines = account.of_machine ? FindAccount(AccountName(account.uid)) : base::Error(base::Code::kNotFound, "");
  AccountFiles files = machines.ok() ? WithHome(passwd_, group_, *machines, account.home)
                                     : WithAccount(passwd_, group_, account.owner, account.uid, account.gid, account.home);
  if (dir >= 0) {
    auto written = Write(dir, PasswdFileName(key), files.passwd);
    if (written.ok()) written = Write(dir, GroupFileName(key), files.group);
    if (!written.ok()) return std::move(written).error().WithContext("naming the account of " + account.owner);
  }
  names_.emplace(key, files.name);
  return std::move(files.name);
}

}  // namespace jobd::sandbox
