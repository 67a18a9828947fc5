#include "launch/shim/assignment.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "launch/contract/frame_fields.h"

namespace jobd::launch {

namespace {

template <typename Io, Is<Identity> F>
void Fields(Io& io, F& f) {
  io(f.switch_user);
  io(f.uid);
  io(f.gid);
  io.List(f.groups, sizeof(gid_t), [&](auto& group) { io(group); });
  io(f.account);
  io(f.workdir_without_links);
}

}  // namespace

std::string EncodeAssignment(const Assignment& job) {
  Encoder io;
  io(job.serial);
  io(job.profile);
  Fields(io, job.identity);
  Fields(io, job.request);
  return io.Take();
}

std::optional<Assignment> DecodeAssignment(std::span<const std::byte> bytes) {
  base::WireReader wire(bytes);
  Decoder io(wire);
  Assignment job;
  io(job.serial);
  io(job.profile);
  Fields(io, job.identity);
  Fields(io, job.request);
  if (!wire.AtEnd()) return std::nullopt;
  return job;
}

bool TrySendAssignment(int channel, const std::string& encoded) {
  if (encoded.size() > kMaxAssignment) return false;
  return ::send(channel, encoded.data(), encoded.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(encoded.size());
}

std::optional<int> TryReceiveStatus(int channel) {
  int32_t status = 0;
  if (::recv(channel, &status, sizeof status, MSG_DONTWAIT) != sizeof status) return std::nullopt;
  return status;
}

bool SendStatus(int channel, int status) {
  const int32_t word = status;
  return ::send(channel, &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof word;
}

std::optional<Assignment> ReceiveAssignment(int channel) {
  ssize_t size = 0;
  do {
    size = ::recv(channel, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return std::nullopt;
  std::string bytes(static_cast<size_t>(size), '\0');
  if (::recv(channel, bytes.data(), bytes.size(), 0) != size) return std::nullopt;
  return DecodeAssignment(std::as_bytes(std::span(bytes)));
}

}  // namespace jobd::launch
