// The connection to jobd: frames out from any thread, frames in on the thread `launcher`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/guarded.h"
#include "base/result.h"
#include "launch/contract/frames.h"

namespace jobd::worker {

// Gets the frames that are about attempts (Refused, ShimExited, Swept) and Ping, on the thread `launcher`. Must not block.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  virtual void OnFrame(launch::LauncherFrame frame) = 0;
};

// Thread-safe. Hello comes first, questions about files at any time; each waits for its answer.
class JobdConnection {
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
    launch::Capabilities capabilities;  // as they are by these files
    uint64_t revision = 0;              // of this set
  };

  // `socket` is a connected SOCK_SEQPACKET. `on_lost` is called once, on the thread `launcher`, when jobd is gone or sends bytes
  // that are no frame; the process must end then.
  JobdConnection(base::Fd socket, std::function<void(base::Error)> on_lost);
  // Ends the thread and closes the socket, without a call of `on_lost`.
  ~JobdConnection();
  JobdConnection(const JobdConnection&) = delete;
  JobdConnection& operator=(const JobdConnection&) = delete;

  // kInternal when jobd gives other descriptors than these; kFailedPrecondition when it is of another version.
  base::Result<Welcome> Hello();
  // The configured files as jobd has them in force, open for reading. Errors: what jobd says why it cannot give them
  // (kFailedPrecondition), or kUnavailable. One call at a time gets an answer; others wait.
  base::Result<GivenFiles> ReadFiles();
  // A reload, in two steps (FORMAT.md): jobd reads and checks the files again, and keeps them beside those in force; these are the
  // bytes it has checked. Errors: why jobd refuses them (kFailedPrecondition), or kUnavailable. Nothing has changed, either way.
  base::Result<GivenFiles> PrepareReload();
  // jobd starts jobs by the set of this revision from now on: when this is OK, the caller puts it in force as well, and must not
  // fail. kAborted: another reload came in between; nothing has changed. kUnavailable: jobd is gone, and so this process must end.
  base::Status CommitReload(uint64_t revision);
  // The set is not taken after all.
  base::Status AbortReload(uint64_t revision);
  // The service accepts connections at `address`.
  base::Status Ready(const std::string& address);

  // Waits while the socket is full. kUnavailable: jobd is gone.
  base::Status Send(const launch::ServerFrame& frame);

  // Returns when the receiver before is not being called any more. Without one (nullptr), pings are answered here and other frames
  // are dropped. The receiver is borrowed.
  void SetReceiver(FrameReceiver* receiver);

 private:
  struct Answers {
    std::optional<launch::Received<launch::HelloAck>> hello;
    std::optional<launch::Received<launch::Files>> files;
    std::optional<launch::Received<launch::Reloaded>> reloaded;
    bool lost = false;
  };

  void Run();
  base::Result<GivenFiles> AskForFiles(const launch::ServerFrame& question);
  void Deliver(launch::Received<launch::LauncherFrame> received);
  // Sends the question and waits for what `answer` picks out of the answers.
  template <typename Frame>
  base::Result<launch::Received<Frame>> Ask(const launch::ServerFrame& question,
                                            std::optional<launch::Received<Frame>> Answers::*answer);

  const base::Fd socket_;
  const std::function<void(base::Error)> on_lost_;
  std::atomic<bool> closing_{false};
  std::mutex sending_;
  std::mutex asking_;  // one question at a time
  base::Guarded<FrameReceiver*> receiver_{nullptr};
  base::Guarded<Answers> answers_;
  std::condition_variable answered_;
  std::thread thread_;
};

}  // namespace jobd::worker
