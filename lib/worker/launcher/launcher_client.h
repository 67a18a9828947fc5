// The launcher at the other end of a socket.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/frames.h"
#include "worker/launcher/old_launcher.h"

namespace jobd::worker {

// Thread-safe. Reads frames on the thread `launcher`. Hello comes first, ReadFiles at any time; each waits for its answer.
class LauncherClient : public OldLauncher {
 public:
  struct NamedFd {
    std::string name;  // "config", "ca", …
    base::Fd fd;
  };
  struct Welcome {
    launch::HelloAck ack;
    base::Fd state_dir;
    base::Fd log_dir;
    base::Fd runtime_dir;
    std::vector<base::Fd> listening;  // at least one
  };
  struct GivenFiles {
    std::vector<NamedFd> files;
    launch::Capabilities capabilities;  // as it is by these files
  };

  // `socket` is a connected SOCK_SEQPACKET. on_lost is called once, on the reading thread, when the launcher is gone or sends what
  // is no frame; the process must end then. The destructor ends the thread and closes the socket; on_lost is not called by that.
  static std::unique_ptr<LauncherClient> Create(base::Fd socket, std::function<void(base::Error)> on_lost);

  // kInternal when the launcher gives other descriptors than these.
  virtual base::Result<Welcome> Hello() = 0;
  // The configured files, open for reading. Errors: what the launcher says why it cannot read them (kFailedPrecondition), or
  // kUnavailable. One call at a time gets an answer; others wait.
  virtual base::Result<GivenFiles> ReadFiles() = 0;
  // The service accepts connections at `address`.
  virtual base::Status Ready(const std::string& address) = 0;
};

}  // namespace jobd::worker
