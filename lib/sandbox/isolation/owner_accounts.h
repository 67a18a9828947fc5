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

// Whose jobs they are, and who they are to the machine.
struct OwnersAccount {
  std::string owner;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  bool of_machine = false;  // the account that jobd itself runs as, which has a home of its own there: all owners share the uid
};

// Names the files of OwnerAccounts: PasswdFileName and GroupFileName have those of the files themselves, in a view's folder.
std::string AccountKey(const OwnersAccount& account);
std::string PasswdFileName(const std::string& key);
std::string GroupFileName(const std::string& key);

// Of one view; not thread-safe. What was made is made again when the machine's own files change.
class OwnerAccounts {
 public:
  // The name that the account has for these jobs. Writes both files into `dir` (borrowed; -1: none, as there is no view).
  base::Result<std::string> Name(int dir, const OwnersAccount& account);

 private:
  // Of both files: device, inode, size, change.
  using Stamp = std::array<int64_t, 10>;
  static Stamp StampNow();

  Stamp stamp_{};
  std::string passwd_;
  std::string group_;
  std::map<std::string, std::string> names_;  // by key
};

}  // namespace jobd::sandbox
