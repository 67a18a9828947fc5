// Whom the files in log_dir belong to: the server's account.
#pragma once

#include <sys/types.h>

namespace jobd::launch {

// Makes file system calls happen as `uid` and `gid` while one lives. A no-op when those are ours already. For the shim, which has
// one thread and stays privileged for everything else.
struct FileOwner {
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Not to be nested.
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
