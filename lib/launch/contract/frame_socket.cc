#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "launch/contract/frame_header.h"
#include "launch/contract/frames.h"

namespace jobd::launch {

namespace {

// A memfd must carry all of these, so that what was checked cannot change afterwards (memfd_create(2), F_ADD_SEALS).
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

base::Error Bad(const char* what) { return {base::Code::kInvalidArgument, std::string("bad frame: ") + what}; }
base::Error Gone() { return {base::Code::kUnavailable, "the other side of the launcher socket is gone"}; }

base::Status SendBytes(int socket, std::string_view bytes, std::span<const int> fds, bool wait) {
  if (fds.size() > kMaxFrameFds) return Bad("too many descriptors");
  iovec iov{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFrameFds)> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) >= 0) return base::Ok();
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return Gone();
    if (errno != EAGAIN) return base::SysError("sending a frame", errno);
    if (!wait) return base::Error(base::Code::kAborted, "the launcher socket is full");
    pollfd writable{socket, POLLOUT, 0};
    if (::poll(&writable, 1, -1) < 0 && errno != EINTR) return base::SysError("waiting to send a frame", errno);
  }
}

base::Result<base::Fd> SealedMemfd(std::string_view bytes) {
  base::Fd memfd(::memfd_create("jobd-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return base::SysError("making a memfd", errno);
  JOBD_RETURN_IF_ERROR(base::WriteAll(memfd.get(), bytes));
  if (::fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0) return base::SysError("sealing a memfd", errno);
  return memfd;
}

struct Message {
  std::string bytes;
  std::vector<base::Fd> fds;
};

// Takes the descriptors first: whatever else is wrong with the message, they are ours to close.
std::vector<base::Fd> TakeFds(msghdr& message) {
  std::vector<base::Fd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

base::Result<Message> ReceiveBytes(int socket, bool wait) {
  // On the stack and not cleared: the launcher forks after each frame, and every page of its heap that it writes to meanwhile would
  // be copied, and kept by the shim.
  std::array<char, kMaxFrame> buffer;
  iovec iov{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFrameFds)> control{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  for (;;) {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    if (size >= 0) break;
    if (errno == EINTR) continue;
    if (errno == ECONNRESET) return Gone();
    if (errno != EAGAIN) return base::SysError("receiving a frame", errno);
    if (!wait) return base::Error(base::Code::kAborted, "no frame is waiting");
    pollfd readable{socket, POLLIN, 0};
    if (::poll(&readable, 1, -1) < 0 && errno != EINTR) return base::SysError("waiting for a frame", errno);
  }
  Message received;
  received.fds = TakeFds(message);
  if (size == 0) return Gone();
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Bad("too large");
  received.bytes.assign(buffer.data(), static_cast<size_t>(size));
  return received;
}

std::span<const std::byte> AsBytes(const std::string& text) { return std::as_bytes(std::span(text)); }

base::Result<ServerFrame> DecodeMemfd(const base::Fd& memfd) {
  const int seals = ::fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Bad("its memfd is not sealed");
  struct stat info {};
  if (::fstat(memfd.get(), &info) != 0) return base::SysError("looking at a memfd", errno);
  if (info.st_size < 0 || static_cast<size_t>(info.st_size) > kMaxLaunchPayload) return Bad("its memfd is too large");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(memfd.get(), std::as_writable_bytes(std::span(bytes)), 0));
  bytes.resize(size);
  auto frame = DecodeServerFrame(AsBytes(bytes));
  if (frame.ok() && !std::holds_alternative<Launch>(*frame)) return Bad("only Launch may travel in a memfd");
  return frame;
}

}  // namespace

base::Status SendFrame(int socket, const ServerFrame& frame) {
  const std::string bytes = EncodeFrame(frame);
  if (bytes.size() <= kMaxFrame) return SendBytes(socket, bytes, {}, true);
  if (!std::holds_alternative<Launch>(frame) || bytes.size() > kMaxLaunchPayload) {
    return base::Error(base::Code::kInvalidArgument, "the request is larger than the launcher takes");
  }
  JOBD_ASSIGN_OR_RETURN(const base::Fd memfd, SealedMemfd(bytes));
  std::string empty(kHeaderSize, '\0');
  StoreHeader(empty, kLaunchInMemfdType);
  const int fd = memfd.get();
  return SendBytes(socket, empty, std::span(&fd, 1), true);
}

base::Status SendFrame(int socket, const LauncherFrame& frame, std::span<const int> fds) {
  return SendBytes(socket, EncodeFrame(frame), fds, true);
}

base::Status TrySendFrame(int socket, const LauncherFrame& frame, std::span<const int> fds) {
  return SendBytes(socket, EncodeFrame(frame), fds, false);
}

base::Result<Received<ServerFrame>> ReceiveServerFrame(int socket, bool wait) {
  JOBD_ASSIGN_OR_RETURN(Message message, ReceiveBytes(socket, wait));
  const auto type = LoadHeader(AsBytes(message.bytes));
  const bool in_memfd = type.ok() && *type == kLaunchInMemfdType && message.bytes.size() == kHeaderSize;
  if (message.fds.size() != (in_memfd ? 1u : 0u)) return Bad("unexpected descriptors");
  JOBD_ASSIGN_OR_RETURN(ServerFrame frame, in_memfd ? DecodeMemfd(message.fds[0]) : DecodeServerFrame(AsBytes(message.bytes)));
  return Received<ServerFrame>{std::move(frame), {}};
}

base::Result<Received<LauncherFrame>> ReceiveLauncherFrame(int socket, bool wait) {
  JOBD_ASSIGN_OR_RETURN(Message message, ReceiveBytes(socket, wait));
  JOBD_ASSIGN_OR_RETURN(LauncherFrame frame, DecodeLauncherFrame(AsBytes(message.bytes)));
  return Received<LauncherFrame>{std::move(frame), std::move(message.fds)};
}

}  // namespace jobd::launch
