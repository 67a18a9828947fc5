// The wire between jobd-server and the launcher: one frame a message over a SOCK_SEQPACKET connection. Specified in FORMAT.md.
// Every decoder is total: any bytes give a frame or an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/capabilities.h"
#include "launch/contract/launch_request.h"

namespace jobd::launch {

// The connection, in a server that the launcher starts.
inline constexpr int kServerSocketFd = 3;
// The socket in the runtime directory to which a server connects that somebody else starts.
inline constexpr const char* kServerSocketName = "launcher.sock";

inline constexpr uint16_t kProtocolVersion = 4;
inline constexpr size_t kMaxFrame = 64 * 1024;  // larger launch requests travel in a memfd
inline constexpr size_t kMaxLaunchPayload = 8 * 1024 * 1024;
inline constexpr size_t kMaxFrameFds = 8;

// ---- server to launcher ----

// First of all. Answered by HelloAck.
struct Hello {
  uint16_t version = kProtocolVersion;
};
// The server accepts connections: the launcher tells the service manager.
struct Ready {
  std::string address;
};
// Start a job. Refused is the answer when it gets no shim; else there is none until ShimExited. Sent inline when it fits kMaxFrame,
// else as a sealed memfd beside an empty frame.
struct Launch {
  LaunchRequest request;
};
// Adopt: the server found the slot's lock held. The launcher watches the holder; ShimExited tells when it is gone. Answered by
// ShimExited at once when it already is.
struct Watch {
  JobKey key;
  std::string owner;
  std::string correlation_id;
};
// End the job as cancelled: TERM to all its processes, KILL to the tree after grace. Unknown jobs are ignored: their ShimExited is
// under way.
struct CancelJob {
  JobKey key;
  base::Nanos grace = 0;
};
// A signal for the job's process group.
struct SignalJob {
  JobKey key;
  int32_t signal = 0;
};
// The server knows of no shim for this attempt: kill and remove what may be left of it. Answered by Swept. When a shim lives all
// the same, its job is not touched: Swept comes when it is gone, behind its ShimExited.
struct Sweep {
  JobKey key;
};
// Every live job of the store has been named by Watch or Sweep: cgroups of others whose shim is dead are killed and removed.
struct Reconciled {};
// Configuration, certificates, key, revocation list and users, as they are in force. Answered by Files.
struct ReadFiles {};
// Answers a Ping, when every thread that jobs depend on has had its turn.
struct Alive {};
// A reload, first step: read the files again, check them and keep them beside those in force. Answered by Files: the new ones, or
// why they are refused. Nothing changes by it. There is one such set: another PrepareReload, AbortReload or the server's end drops
// it.
struct PrepareReload {};
// Second step: the set of this revision is in force. Answered by Reloaded.
struct CommitReload {
  uint64_t revision = 0;
};
// Or: the set of this revision is dropped. There is no answer.
struct AbortReload {
  uint64_t revision = 0;
};

// ---- launcher to server ----

// Everything that a server needs of the launcher: its configuration, and, as descriptors beside the frame, its files and sockets.
// Directories are passed open, so that the unprivileged server need not be able to walk to them. The listening sockets stay open in
// the launcher: while a server is being replaced the address stays the same and connections wait instead of being refused.
struct HelloAck {
  uint16_t version = kProtocolVersion;
  uint32_t server_restarts = 0;
  // name, available, detail: as `admin status` shows it.
  struct Capability {
    std::string name;
    bool available = false;
    std::string detail;
    bool operator==(const Capability&) const = default;
  };
  std::vector<Capability> capabilities;
  std::string config_name;                                       // for messages, and to resolve relative paths
  std::vector<std::pair<std::string, std::string>> environment;  // the JOBD_* variables that jobd was started with
  std::vector<std::string> set_flags;                            // section.key=value, of jobd's command line
  std::vector<std::string> descriptors;                          // "state", "log", "runtime", "listen" once or twice
};
// The job was not started and never will be under this key. When `retry` it is the machine's state, not the request, that is at
// fault (EAGAIN, ENOSPC, …): the server may launch the same key again later.
struct Refused {
  JobKey key;
  bool retry = false;
  bool policy = false;  // refused by the launcher's own policy
  std::string text;     // "running as root is not allowed"
};
// The shim of this attempt is gone and its cgroup is empty and removed; the slot has its last content.
struct ShimExited {
  JobKey key;
};
struct Swept {
  JobKey key;
};
// The files, as read-only descriptors beside the frame, in the order of `names` ("config", "ca", "cert", "key", "revoked",
// "users"), and "metrics", the socket on which they are to be served; those not configured are absent. With error non-empty nothing
// could be read, and there are no descriptors.
struct Files {
  std::vector<std::string> names;
  std::string error;
  // By the policy that these files make, and this machine.
  Capabilities capabilities;
  // Which set of files this is, among those that this launcher has read.
  uint64_t revision = 0;
};

// Asks whether the server still works. Answered by Alive.
struct Ping {};
// Jobs are started by the files of this revision from now on. Not `done`: there is no such set to commit, and nothing has changed.
struct Reloaded {
  uint64_t revision = 0;
  bool done = false;
};

using ServerFrame = std::variant<Hello, Ready, Launch, Watch, CancelJob, SignalJob, Sweep, Reconciled, ReadFiles, Alive,
                                 PrepareReload, CommitReload, AbortReload>;
using LauncherFrame = std::variant<HelloAck, Refused, ShimExited, Swept, Files, Ping, Reloaded>;

// Encoding is total. A large Launch may exceed kMaxFrame; see SendFrame.
std::string EncodeFrame(const ServerFrame& frame);
std::string EncodeFrame(const LauncherFrame& frame);
base::Result<ServerFrame> DecodeServerFrame(std::span<const std::byte> bytes);
base::Result<LauncherFrame> DecodeLauncherFrame(std::span<const std::byte> bytes);

// Sends one frame, with MSG_NOSIGNAL, and waits when the socket is full. `socket` is blocking or not. kUnavailable when the other
// side is gone.
base::Status SendFrame(int socket, const ServerFrame& frame);
base::Status SendFrame(int socket, const LauncherFrame& frame, std::span<const int> fds = {});
// As SendFrame, but does not wait: kAborted when the socket is full.
base::Status TrySendFrame(int socket, const LauncherFrame& frame, std::span<const int> fds = {});

template <typename Frame>
struct Received {
  Frame frame;
  std::vector<base::Fd> fds;
};
// Receives one frame. kUnavailable at the end of the stream; kAborted when it would block (MSG_DONTWAIT); kInvalidArgument for bad
// bytes, after which the other side is not to be trusted further.
base::Result<Received<ServerFrame>> ReceiveServerFrame(int socket, bool wait);
base::Result<Received<LauncherFrame>> ReceiveLauncherFrame(int socket, bool wait);

}  // namespace jobd::launch
