// The process of jobd-server: an unprivileged child of the launcher, with a socket and nothing else of ours; or the child of
// somebody else, who restarts it.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/exit_status.h"
#include "base/fd.h"
#include "base/result.h"

namespace jobd::launch {

// How to start it. Descriptors are borrowed, for the time of the call.
struct ServerPlan {
  std::string program;                 // opened by us: the server's account need not be able to reach it
  std::vector<std::string> arguments;  // behind the program's name
  int socket = -1;                     // becomes kServerSocketFd; everything else comes with HelloAck
  std::optional<uid_t> uid;            // to switch to; needs root
  std::optional<gid_t> gid;
};

// One server process. Single-threaded, on the context's thread. The destructor kills a process that was started here.
class ServerProcess {
 public:
  // Called once, when the process has ended; with its status if it was our child, as the kernel tells only the parent.
  using OnExit = std::function<void(std::optional<base::ExitStatus>)>;

  // Starts it. Returns when the program is executing, or why not.
  static base::Result<std::unique_ptr<ServerProcess>> Start(boost::asio::io_context& context, const ServerPlan& plan,
                                                            OnExit on_exit);
  // Watches one that somebody else has started.
  static std::unique_ptr<ServerProcess> Watch(boost::asio::io_context& context, pid_t pid, base::Fd pidfd, OnExit on_exit);
  virtual ~ServerProcess() = default;
  virtual pid_t pid() const = 0;
  // Nothing happens when it has ended already.
  virtual void Signal(int signal) = 0;
};

}  // namespace jobd::launch
