// The first process of a job's pid namespace: it reaps orphans, and all end with it. The job itself is the second, so that signals
// have their usual effect on it.
#pragma once

#include <sys/types.h>

#include <array>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::sandbox {

// For a process with one thread and all signals blocked. The init process shares our memory, so it costs next to nothing, and our
// being undumpable, so nobody may trace it; it holds no descriptor of ours but one end of a pipe that tells it when we are gone,
// and then ends the namespace. It stays in our cgroup: what a job uses does not count it, and what ends a job does not hit it.
class InitProcess {
 public:
  InitProcess() = default;
  // Ends the namespace, as End().
  ~InitProcess() { End(); }
  InitProcess(const InitProcess&) = delete;
  InitProcess& operator=(const InitProcess&) = delete;

  // From now on our children are born in a new pid namespace; to be called once, until Leave. `user_namespace` (-1: ours) is
  // entered first, for good. Errors carry errno.
  base::Status Start(int user_namespace);
  // Kills every process of the namespace and returns when none is left. Blocks as long as one hangs in the kernel. Children of ours
  // in it are killed too, and wait to be reaped.
  void End();
  // After End: our children are born in our own pid namespace again. Not from another user namespace.
  base::Status Leave();
  bool running() const { return pid_ != 0; }

 private:
  static int Main(void* alive_fd);

  pid_t pid_ = 0;
  base::Fd alive_;          // our end of the pipe; never written to
  int reader_number_ = -1;  // read by the new process
  alignas(16) std::array<char, 4096> stack_;
};

}  // namespace jobd::sandbox
