// jobd-server as a child of the launcher: unprivileged, with the socket and three directories, and nothing else of ours.
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
  std::string program;                   // opened by us: the server's account need not be able to reach it
  std::vector<std::string> argv;         // the program's name first
  std::vector<std::string> environment;  // all of it
  int socket = -1;
  int state_dir = -1;
  int log_dir = -1;
  int runtime_dir = -1;
  std::vector<int> listening;  // one or two
  std::optional<uid_t> uid;    // to switch to; needs root
  std::optional<gid_t> gid;
};

// One server process. Single-threaded, on the context's thread. The destructor kills the process.
class ServerProcess {
 public:
  // Starts it; `on_exit` is called once, when it has ended. Returns when the program is executing, or why not.
  static base::Result<std::unique_ptr<ServerProcess>> Start(boost::asio::io_context& context, const ServerPlan& plan,
                                                            std::function<void(base::ExitStatus)> on_exit);
  virtual ~ServerProcess() = default;
  virtual pid_t pid() const = 0;
  // Nothing happens when it has ended already.
  virtual void Signal(int signal) = 0;
};

}  // namespace jobd::launch
