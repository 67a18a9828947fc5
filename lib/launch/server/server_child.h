// jobd-server between clone and exec. The rules are those of process/child.h.
#pragma once

#include <sys/types.h>

namespace jobd::launch {

struct ServerChildPlan {
  int report_fd = -1;   // an int, errno, when it fails; close-on-exec
  int program_fd = -1;  // executed; close-on-exec
  int socket_fd = -1;   // becomes kServerSocketFd. None of the three has that number
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
};

// Never returns.
[[noreturn]] void RunServerChild(const ServerChildPlan& plan) noexcept;

}  // namespace jobd::launch
