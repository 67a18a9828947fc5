// What happens between clone and exec of jobd-server; as child.h is for jobs, with the same rules.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace jobd::launch {

inline constexpr size_t kMaxServerFds = 6;

struct ServerChildPlan {
  int report_fd = -1;           // an int, errno, when it fails; close-on-exec
  int program_fd = -1;          // executed; close-on-exec
  int fds[kMaxServerFds] = {};  // become kServerSocketFd and those after it; all above these numbers
  size_t fd_count = 0;
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
};

// Never returns.
[[noreturn]] void RunServerChild(const ServerChildPlan& plan) noexcept;

}  // namespace jobd::launch
