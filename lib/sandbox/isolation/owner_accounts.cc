#include "sandbox/isolation/owner_accounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.h"

namespace jobd::sandbox {

namespace {

constexpr const char* kFiles[] = {"/etc/passwd", "/etc/group"};
constexpr size_t kMaxFile = 16u << 20;

base::Status Write(int dir, const std::string& name, const std::string& text) {
  // In the place of the old one: jobs that run keep that.
  (void)::unlinkat(dir, name.c_str(), 0);
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  return base::WriteAll(file.get(), text);
}

}  // namespace

std::string PasswdFileName(uid_t uid) { return std::to_string(uid) + ".passwd"; }
std::string GroupFileName(uid_t uid) { return std::to_string(uid) + ".group"; }

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

base::Result<std::string> OwnerAccounts::Name(int dir, const std::string& owner, uid_t uid, const std::string& home) {
  if (const Stamp now = StampNow(); now != stamp_) {
    // A machine without these files has no accounts.
    auto passwd = base::ReadFile(AT_FDCWD, kFiles[0], kMaxFile);
    auto group = base::ReadFile(AT_FDCWD, kFiles[1], kMaxFile);
    passwd_ = passwd.ok() ? std::move(passwd).value() : "";
    group_ = group.ok() ? std::move(group).value() : "";
    names_.clear();
    stamp_ = now;
  }
  if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  AccountFiles files = WithAccount(passwd_, group_, owner, uid, home);
  if (dir >= 0) {
    auto written = Write(dir, PasswdFileName(uid), files.passwd);
    if (written.ok()) written = Write(dir, GroupFileName(uid), files.group);
    if (!written.ok()) return std::move(written).error().WithContext("naming the account of " + owner);
  }
  names_.emplace(uid, files.name);
  return std::move(files.name);
}

}  // namespace jobd::sandbox
