#include "base/exit_status.h"

#include <sys/wait.h>

#include "base/errno_text.h"

namespace jobd::base {

ExitStatus ExitStatus::FromWait(int wait_status) {
  if (WIFSIGNALED(wait_status)) return Signaled(WTERMSIG(wait_status));
  return Exited(WEXITSTATUS(wait_status));
}

std::string ExitStatus::ToString() const { return kind == Kind::kExited ? "exit " + std::to_string(value) : SignalName(value); }

}  // namespace jobd::base
