// The passwd and group files that the jobs of an owner find in a view, made when they are first needed.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::sandbox {

// The names, in a view's folder, of the files that a job of `uid` finds as /etc/passwd and /etc/group.
std::string PasswdFileName(uid_t uid);
std::string GroupFileName(uid_t uid);

// Of one view; not thread-safe. What was made is made again when the machine's own files change.
class OwnerAccounts {
 public:
  // The account name for the jobs of `owner` that run as `uid`; `home` is theirs. Writes both files into `dir` (borrowed; -1: none,
  // as there is no view).
  base::Result<std::string> Name(int dir, const std::string& owner, uid_t uid, const std::string& home);

 private:
  // Of both files: device, inode, size, change.
  using Stamp = std::array<int64_t, 10>;
  static Stamp StampNow();

  Stamp stamp_{};
  std::string passwd_;
  std::string group_;
  std::map<uid_t, std::string> names_;
};

}  // namespace jobd::sandbox
