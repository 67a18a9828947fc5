// The owner of the files in log_dir, which is the server's account, and how root acts on files as that account.
#pragma once

#include <sys/types.h>

namespace jobd::launch {

struct FileOwner {
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

// While one lives, file system calls of this thread happen as the owner; everything else stays privileged. Does nothing where
// switch_user is false. Not to be nested.
class ScopedFsCredentials {
 public:
  explicit ScopedFsCredentials(const FileOwner& owner);
  ~ScopedFsCredentials();
  ScopedFsCredentials(const ScopedFsCredentials&) = delete;
  ScopedFsCredentials& operator=(const ScopedFsCredentials&) = delete;

 private:
  bool switched_;
  uid_t uid_;
  gid_t gid_;
};

}  // namespace jobd::launch
